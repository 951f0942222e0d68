// What this server is, and how a program is pointed at it.

import { byId, codeBlock, control, duration, fill, h, notify } from "./dom.js";
import { on } from "./live.js";
import { onLanguage, t } from "./texts.js";

let about = null;
let state = null;

function facts() {
  const key = about.any_key ? t("about.key.any", { key: about.key }) : (about.key ?? t(about.mode === "record" ? "about.key.own" : "about.key.hidden"));
  const pairs = [
    ["about.behaviour", explain()],
    ["about.address", location.origin],
    ["about.key", key],
    ["about.version", about.version],
    ["about.latency", about.latency || about.token_latency ? t("about.latencies", { answer: duration(about.latency), token: duration(about.token_latency) }) : ""],
    ["about.scripted", state?.scripted ? String(state.scripted) : ""],
    ["about.dropped", state?.dropped ? String(state.dropped) : ""],
  ];
  return pairs.filter(([, value]) => value).map(([name, value]) => [h("dt", {}, t(name)), h("dd", {}, value)]);
}

/** Which answers the server gives: computed ones of a behaviour, an upstream's, or those of a recording. */
function explain() {
  if (about.mode !== "compute") return t(`mode.${about.mode}`, { upstream: about.upstream });
  const changed = about.facts_changed ? ` (${t("behaviour.changed", { count: about.facts_changed })})` : "";
  return t(`behaviour.${about.behaviour}`) + changed;
}

async function reset() {
  if (await control("POST", "/reset")) notify(t("about.reset.done"));
}

function draw() {
  byId("behaviour").hidden = about === null;
  if (about === null) return;
  byId("behaviour").textContent = about.mode === "compute" ? about.behaviour + (about.facts_changed ? " *" : "") : about.mode;
  byId("behaviour").title = explain();
  const key = about.key ?? "nv-...";
  const address = location.origin;
  const shell = `export CLOVASTUDIO_BASE_URL=${address} CLOVASTUDIO_API_KEY=${key}`;
  const openai = `from openai import OpenAI

client = OpenAI(base_url="${address}/v1/openai", api_key="${key}")`;
  const javascript = `const answer = await fetch("${address}/v3/chat-completions/HCX-005", {
  method: "POST",
  headers: { authorization: "Bearer ${key}", "content-type": "application/json" },
  body: JSON.stringify({ messages: [{ role: "user", content: "안녕하세요?" }] }),
});`;
  const link = (path, text) => h("li", {}, h("a", { href: path, target: "_blank", rel: "noopener" }, path), ` ${text}`);
  fill(
    byId("panel-about"),
    h("h2", {}, t("tab.about")),
    h("p", {}, t("about.what")),
    h("dl", { class: "facts" }, facts()),
    h("h3", {}, t("about.point")),
    h("p", { class: "faint" }, t("about.environment")),
    codeBlock(t, shell, t("about.shell")),
    h("p", { class: "faint" }, t("about.openai")),
    codeBlock(t, openai, "OpenAI"),
    h("p", { class: "faint" }, t("about.javascript")),
    codeBlock(t, javascript, "JavaScript"),
    h("h3", {}, t("about.steer")),
    h("p", { class: "faint" }, t("about.control")),
    h("ul", {}, link("/_emulator/health", t("about.health")), link("/_emulator/requests", t("about.requests")), link("/_emulator/openapi.json", t("about.openapi"))),
    h("button", { type: "button", id: "reset", onclick: reset }, t("about.reset")),
  );
}

export function startAbout() {
  onLanguage(draw);
  on("about", (value) => { about = value; draw(); });
  on("state", (value) => {
    const differs = state?.scripted !== value.scripted || state?.dropped !== value.dropped;
    state = value;
    if (differs && !byId("panel-about").hidden) draw();
  });
}
