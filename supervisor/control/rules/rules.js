"use strict";
const at = (id) => document.getElementById(id);
const say = (text) => { at("news").textContent = text; };
const token = at("token");
token.value = sessionStorage.getItem("token") || "";
token.addEventListener("change", () => sessionStorage.setItem("token", token.value));

// Everything that is shown becomes text, never HTML.
function made(kind, text, attributes = {}) {
  const one = document.createElement(kind);
  one.textContent = text;
  for (const [name, value] of Object.entries(attributes)) one.setAttribute(name, value);
  return one;
}
function button(words, name, act) {
  const one = made("button", words, {type: "button", "aria-label": words + " " + name});
  one.addEventListener("click", act);
  return one;
}
function list(lines) {
  const one = made("ul", "");
  one.append(...lines.map((line) => made("li", line)));
  return lines.length ? one : made("p", "None.");
}
async function asked(method, target, body) {
  const headers = {};
  if (token.value) headers.Authorization = "Bearer " + token.value;
  if (body) headers["Content-Type"] = "application/json";
  try {
    const answer = await fetch(target, {method, headers, body: body && JSON.stringify(body)});
    const content = await answer.json();
    if (!answer.ok) return {problem: content.detail || answer.statusText};
    return {content, all: Number(answer.headers.get("X-Total-Count"))};
  } catch { return {problem: "The supervisor does not answer."}; }
}
async function ask(method, target, body) {
  const {content, problem} = await asked(method, target, body);
  if (problem) say(problem);
  return problem ? null : content;
}
function query(target, parameters) { return target + "?" + new URLSearchParams(parameters); }
function later(act) { let waiting; return () => { clearTimeout(waiting); waiting = setTimeout(act, 300); }; }
const time = (unix) => unix ? new Date(unix * 1000).toISOString().slice(0, 19).replace("T", " ") + " UTC" : "never";
function span(seconds) {
  for (const [unit, length] of [["d", 86400], ["h", 3600], ["min", 60]]) if (seconds >= 2 * length) return Math.round(seconds / length) + " " + unit;
  return Math.round(seconds) + " s";
}
const counted = (number, word) => number + " " + word + (number === 1 ? "" : "s");

// What is told of a rule's figures, in the list and on its card; what it does not have is left out there.
const FIGURES = [
  ["Total", (one) => one.total], ["Last day", (one) => one.last_day],
  ["Dollars a day", (one) => one.dollars_last_day === undefined ? null : "$" + one.dollars_last_day.toFixed(2)],
  ["Last match", (one) => time(one.last_at)],
  ["Usual interval", (one) => one.usual_interval_s === null ? null : span(one.usual_interval_s)],
  ["Silent for", (one) => one.silent_s === null ? null : span(one.silent_s)],
  ["Shares a value with", (one) => one.shared_with ? counted(one.shared_with, "other rule") : null],
  ["Held by its limit", (one) => one.held || null],
];
// One question at a time, however fast somebody types: each reads all rules.
let finding = null, again = false;
function find() {
  again = true;
  finding ||= (async () => { try { while (again) { again = false; await findOnce(); } } finally { finding = null; } })();
  return finding;
}
async function findOnce() {
  const by = at("order").value;
  const target = by ? query("/api/rules/stats", {by}) : query("/api/rules", {search: at("search").value});
  const {content: found, all, problem} = await asked("GET", target);
  if (again) return;
  if (problem) { say(problem); return; }
  const told = by ? FIGURES.filter(([, tell]) => found.some((one) => tell(one) !== null)) : [["State", (one) => one.state]];
  const heads = ["Rule", "Value", "Tag", ...told.map(([head]) => head), "Actions"];
  at("heads").replaceChildren(...heads.map((head) => made("th", head, {scope: "col", role: "columnheader"})));
  at("rules").replaceChildren(...found.map((one) => row(one, told)));
  say(all > found.length ? "The first " + found.length + " of " + all + " rules." : counted(all, "rule") + ".");
}
function row(one, told) {
  const fields = one.fields || one, [group, id] = parts(one.key);
  const line = made("tr", "", {role: "row", "data-key": one.key});
  const cells = [["Value", fields.value || ""], ["Tag", fields.tag || ""], ...told.map(([head, tell]) => [head, tell(one) ?? ""])];
  const acts = made("td", "", {role: "cell", "data-label": "Actions"}), both = made("div", "", {class: "actions"});
  both.append(button("Show", one.key, () => show(one.key)), button("Remove", one.key, () => remove(one.key)));
  acts.append(both);
  line.append(made("th", group + ":" + id, {scope: "row", role: "rowheader", "data-label": "Rule"}));
  line.append(...cells.map(([head, text]) => made("td", text, {role: "cell", "data-label": head})), acts);
  return line;
}
function parts(key) {
  const [type, id, ...rest] = key.slice("traptor-".length).split(":");
  return [(type === "location" ? "locations" : type) + ":" + id, rest.join(":")];
}

let shown = null;
async function show(key) {
  shown = key;
  at("tweets").replaceChildren();
  at("look").hidden = false;
  at("card").replaceChildren(made("p", key));
  at("of-card").focus();
  await look(key);
}
// Where it is costs little to ask; its figures mean reading its whole group, so they are asked for once a minute.
let figures = {}, figuresOf = null, figuresAt = 0;
async function look(key) {
  const isDue = figuresOf !== key || Date.now() - figuresAt > 60000;
  const [where, told] = await Promise.all([
    asked("GET", query("/api/explain", {rule: key})),
    isDue ? asked("GET", query("/api/rules/stats", {of: parts(key)[0], rule: key})) : figures,
  ]);
  if (shown !== key) return;
  if (isDue) { figures = told; figuresOf = key; figuresAt = Date.now(); }
  const facts = made("dl", ""), one = (figures.content || [])[0];
  if (where.content && where.content.rules[0] && one) one.last_at = Math.max(one.last_at || 0, where.content.rules[0].last_match || 0);
  const tell = (head, text) => facts.append(made("dt", head), made("dd", text));
  tell("Redis key", key);
  if (one) { tell("Value", one.value || ""); tell("Tag", one.tag || ""); }
  tell("Where", where.problem || place((where.content.rules || [])[0]));
  if (one) for (const [head, told] of FIGURES) if (told(one) !== null) tell(head, told(one));
  const gaps = where.problem ? [] : where.content.gaps.map((gap) => (gap.connection ? gap.connection + ": " : "") + gap.from + " to " + (gap.open ? "now" : gap.to) + ", " + gap.seconds + " s (" + (gap.cause || gap.kind) + ")");
  at("card").replaceChildren(facts, made("h3", "Gaps of the last day"), list(gaps));
}
function place(rule) {
  if (!rule) return "no longer there";
  if (rule.rejected) return "NOT COLLECTED: " + rule.rejected;
  if (rule.no_filter) return "NOT COLLECTED: no filter at X: " + rule.no_filter;
  if (!rule.connection) return "NOT COLLECTED: no connection carries it yet";
  const carrier = rule.carrier, since = carrier && carrier.since !== null ? " for " + span(Math.max(0, Date.now() / 1000 - carrier.since)) : "";
  if (rule.collected && carrier && carrier.collecting) return rule.connection + ", collecting" + since;
  if (carrier && carrier.collecting) return rule.connection + ", NOT COLLECTED yet: it collects other rules";
  return rule.connection + ", NOT COLLECTING" + (carrier ? " (" + carrier.state + since + ")" : "");
}
setInterval(() => { if (shown && !document.hidden) look(shown); }, 5000);

function hasToken() { if (token.value) return true; say("Give the token below."); token.focus(); return false; }
at("look").addEventListener("click", async () => {
  const key = shown;
  if (!hasToken()) return;
  say("Looking for tweets; this can take ten seconds.");
  const found = await ask("GET", query("/api/rules/tweets", {rule: key}));
  if (!found || shown !== key) return;
  figuresAt = 0;
  const lines = found.map((one) => [one.created_at || one.received_at, one.author && "@" + one.author, one.text].filter(Boolean).join(" - "));
  at("tweets").replaceChildren(made("h3", "Last tweets"), list(lines));
  say(counted(found.length, "tweet") + " of " + key + ".");
});
async function remove(key) {
  if (!hasToken() || !confirm("Remove " + key + "?")) return;
  const done = await ask("DELETE", query("/api/rules", {of: parts(key)[0], rule_id: key}));
  if (!done) return;
  if (shown === key) { shown = null; at("look").hidden = true; at("tweets").replaceChildren(); at("card").replaceChildren(made("p", "Choose a rule above.")); }
  await find();
  say("Removed " + key + ".");
  at("search").focus();
}
let judging = 0;
async function judge() {
  const number = ++judging, value = at("value").value;
  const one = value ? await ask("POST", "/api/rules/validate", {type: at("type").value, value}) : {};
  if (!one || number !== judging) return;
  const notes = [...(one.notes || []), ...((one.v2 && one.v2.losses) || [])];
  at("value").setAttribute("aria-invalid", String(one.valid === false || Boolean(one.no_filter)));
  at("verdict").textContent = !value ? "" : one.no_filter ? "No filter at X: " + one.no_filter : one.valid ? ["Valid: " + one.values.join(" | "), ...notes].join("; ") : "Not valid: " + one.reason;
}
at("search").addEventListener("input", later(() => { at("order").value = ""; find(); }));
at("order").addEventListener("change", find);
at("value").addEventListener("input", later(judge));
at("type").addEventListener("change", judge);
at("add").addEventListener("submit", async (event) => {
  event.preventDefault();
  if (!hasToken()) return;
  const rule = {type: at("type").value, value: at("value").value};
  for (const name of ["tag", "id"]) if (at(name).value) rule[name] = at(name).value;
  const done = await ask("POST", "/api/rules", rule);
  if (!done) return;
  await find();
  say(done.rules.length ? "Added " + done.rules.join(", ") + "." : "It is there already.");
  at("add").reset();
  await judge();
});
find();
