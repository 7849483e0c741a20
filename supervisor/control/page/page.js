"use strict";
// Changes only what differs, so that the focus, a selection and the place on the page stay.
function become(old, fresh) {
  if (old.isEqualNode(fresh)) return;
  const same = old.nodeName === fresh.nodeName && old.childNodes.length === fresh.childNodes.length;
  if (!same || (old.dataset && old.dataset.key !== fresh.dataset.key)) { old.replaceWith(fresh); return; }
  if (old.nodeType === Node.TEXT_NODE) { old.data = fresh.data; return; }
  if (old.attributes) {
    for (const one of [...old.attributes]) if (!fresh.hasAttribute(one.name)) old.removeAttribute(one.name);
    for (const one of fresh.attributes) if (old.getAttribute(one.name) !== one.value) old.setAttribute(one.name, one.value);
  }
  const others = [...fresh.childNodes];
  [...old.childNodes].forEach((child, number) => become(child, others[number]));
}
function show(id, html) {
  const old = document.getElementById(id), fresh = old.cloneNode(false);
  fresh.innerHTML = html;
  become(old, fresh);
}
function say(text) { const news = document.getElementById("news"); if (news.textContent !== text) news.textContent = text; }

const source = new EventSource("/api/page");
source.addEventListener("page", (event) => {
  for (const [id, html] of Object.entries(JSON.parse(event.data))) show(id, html);
  document.body.dataset.current = "yes";
});
source.addEventListener("open", () => say("Current: changes appear by themselves."));
source.addEventListener("error", () => { document.body.dataset.current = "no"; say("NOT CURRENT: the supervisor does not answer; trying again."); });

const token = document.getElementById("token");
token.value = sessionStorage.getItem("token") || "";
token.addEventListener("change", () => sessionStorage.setItem("token", token.value));
document.addEventListener("click", async (event) => {
  const button = event.target.closest("button[data-post]");
  if (!button) return;
  if (!token.value) { say("To act, give the token below."); token.focus(); return; }
  const name = button.getAttribute("aria-label");
  try {
    const answer = await fetch(button.dataset.post, {method: "POST", headers: {Authorization: "Bearer " + token.value}});
    const body = await answer.json();
    say(name + ": " + (body.detail || answer.statusText));
  } catch { say(name + ": the supervisor does not answer."); }
});
