"use strict";
const at = (id) => document.getElementById(id);
const say = (text) => { at("news").textContent = text; };
const token = at("token");
token.value = sessionStorage.getItem("token") || "";
token.addEventListener("change", () => sessionStorage.setItem("token", token.value));

// Everything that is shown becomes text, never HTML.
function cell(kind, text) { const made = document.createElement(kind); made.textContent = text; return made; }
function button(words, name, act) {
  const made = cell("button", words);
  made.type = "button";
  made.setAttribute("aria-label", words + " " + name);
  made.addEventListener("click", act);
  return made;
}
async function ask(method, target, body) {
  const headers = {};
  if (method !== "GET" && token.value) headers.Authorization = "Bearer " + token.value;
  if (body) headers["Content-Type"] = "application/json";
  try {
    const answer = await fetch(target, {method, headers, body: body && JSON.stringify(body)});
    const isLines = (answer.headers.get("Content-Type") || "").startsWith("application/x-ndjson");
    const content = isLines ? (await answer.text()).split("\n").filter(Boolean).map((line) => JSON.parse(line)) : await answer.json();
    if (!answer.ok) { say(content.detail || answer.statusText); return null; }
    return content;
  } catch { say("The supervisor does not answer."); return null; }
}
function later(act) { let waiting; return () => { clearTimeout(waiting); waiting = setTimeout(act, 300); }; }
const time = (unix) => unix ? new Date(unix * 1000).toISOString().slice(0, 19).replace("T", " ") : "never";

let asked = 0;
async function find() {
  const number = ++asked, order = at("order").value, search = encodeURIComponent(at("search").value);
  const found = await ask("GET", order ? "/api/rules/stats?by=" + order : "/api/rules?search=" + search);
  if (!found || number !== asked) return;
  const heads = order ? ["Rule", "Value", "Tag", "Total", "Last day", "Last match (UTC)", "Actions"] : ["Rule", "Value", "Tag", "State", "Actions"];
  at("heads").replaceChildren(...heads.map((head) => { const made = cell("th", head); made.scope = "col"; return made; }));
  at("rules").replaceChildren(...found.map((one) => row(one, order)));
  say(found.length === 50 ? "The first 50 rules." : found.length === 1 ? "1 rule." : found.length + " rules.");
}
function row(one, order) {
  const fields = one.fields || one, key = one.key, [group, id] = parts(key);
  const made = document.createElement("tr");
  made.dataset.key = key;
  const head = cell("th", group + ":" + (one.rule_id || id));
  head.scope = "row";
  const more = order ? [one.total, one.last_day, time(one.last_at)] : [one.state];
  const acts = document.createElement("td");
  acts.append(button("Gaps", key, () => gaps(key)), button("Remove", key, () => remove(group, key)));
  made.append(head, ...[fields.value || "", fields.tag || "", ...more].map((text) => cell("td", text)), acts);
  return made;
}
function parts(key) {
  const [type, id, ...rest] = key.slice("traptor-".length).split(":");
  return [(type === "location" ? "locations" : type) + ":" + id, rest.join(":")];
}
async function gaps(key) {
  const found = await ask("GET", "/api/gaps?since=1d&rule=" + encodeURIComponent(key));
  if (!found) return;
  const list = document.createElement("ul");
  list.append(...found.map((gap) => cell("li", gap.connection + ": " + gap.from + " to " + (gap.to || "now") + ", " + gap.seconds + " s (" + gap.cause + ")")));
  at("gaps").replaceChildren(cell("p", key), found.length ? list : cell("p", "None."));
}
function hasToken() { if (token.value) return true; say("To act, give the token below."); token.focus(); return false; }
async function remove(group, key) {
  if (!hasToken() || !confirm("Remove " + key + "?")) return;
  const done = await ask("DELETE", "/api/rules?of=" + encodeURIComponent(group) + "&rule_id=" + encodeURIComponent(key));
  if (done) { await find(); say("Removed " + key + "."); }
}
async function judge() {
  if (!at("value").value) { at("verdict").textContent = ""; return; }
  const one = await ask("POST", "/api/rules/validate", {type: at("type").value, value: at("value").value});
  if (!one) return;
  const notes = [...(one.notes || []), ...((one.v2 && one.v2.losses) || [])];
  at("verdict").textContent = one.valid ? ["Valid: " + one.values.join(" | "), ...notes].join("; ") : "Not valid: " + one.reason;
}
at("search").addEventListener("input", later(find));
at("order").addEventListener("change", find);
at("value").addEventListener("input", later(judge));
at("type").addEventListener("change", judge);
at("add").addEventListener("submit", async (event) => {
  event.preventDefault();
  if (!hasToken()) return;
  const rule = {type: at("type").value, value: at("value").value};
  if (at("tag").value) rule.tag = at("tag").value;
  const done = await ask("POST", "/api/rules", rule);
  if (!done) return;
  await find();
  say(done.rules.length ? "Added " + done.rules.join(", ") + "." : "It is there already.");
  at("add").reset();
  at("verdict").textContent = "";
});
find();
