// The quotas: how full each window is, and their limits.

import { byId, control, field, fill, h, notify } from "./dom.js";
import { on } from "./live.js";
import { onLanguage, t } from "./texts.js";

let names = [];
let limits = {};
let usage = [];
let window_ = 60;
let counting = "fixed";
let heard = performance.now();
let ticking;

const number = (value) => value.toLocaleString();

function meter(what, name, used, since) {
  if (!used) return null;
  const left = Math.max(0, used.reset_seconds - since);
  const full = used.limit ? used.used / used.limit : 1;
  const bar = h("progress", { max: Math.max(used.limit, 1), value: used.limit ? Math.min(used.used, used.limit) : 1, class: full >= 1 ? "full" : full >= 0.8 ? "high" : "" });
  bar.setAttribute("aria-label", `${name}: ${t(what)}`);
  return h("div", { class: "meter" },
    h("span", {}, t(what)), bar,
    h("span", {}, `${number(used.used)} / ${number(used.limit)}`),
    h("small", { class: "faint" }, left > 0 ? t("quota.reset", { seconds: left.toFixed(left < 10 ? 1 : 0) }) : ""));
}

/** The windows; their clocks run by themselves until the server says more. */
function draw() {
  clearTimeout(ticking);
  const since = (performance.now() - heard) / 1000;
  const lines = [...usage].reverse().map((line) => h("li", { class: "quota" },
    h("div", {}, h("b", {}, line.name), " ", h("small", { class: "faint" }, t("quota.account", { account: line.account.slice(0, 6) }))),
    meter("quota.requests", line.name, line.requests, since), meter("quota.tokens", line.name, line.tokens, since)));
  fill(byId("quota-usage"), lines.length ? h("ul", { class: "plain" }, lines)
    : h("p", { class: "empty" }, Object.keys(limits).length ? t("quota.unused") : t("quota.none")));
  fill(byId("quota-limits"), Object.entries(limits).map(([name, limit]) => h("li", {},
    h("span", { class: "grow" }, h("b", {}, name), " ", t("quota.limit", { requests: limit.requests === null ? "∞" : number(limit.requests), tokens: limit.tokens === null ? "∞" : number(limit.tokens) })),
    h("button", { type: "button", "aria-label": `${t("quota.remove")}: ${name}`, onclick: () => remove(name) }, t("quota.remove")))));
  byId("quota-window-now").textContent = t("quota.window.now", { seconds: window_, counting: t(`counting.${counting}`) });
  byId("quota-forget").hidden = !lines.length;
  const runs = usage.some((line) => [line.requests, line.tokens].some((used) => used && used.reset_seconds > since));
  if (runs) ticking = setTimeout(draw, 500);
}

function hear(state) {
  ({ limits, usage, counting } = state);
  window_ = state.window;
  heard = performance.now();
  draw();
}

async function put(fields) {
  const now = await control("PUT", "/quotas", fields);
  if (now) hear(now);
  return now;
}

async function set(event) {
  event.preventDefault();
  const read = (id) => (byId(id).value === "" ? null : Number(byId(id).value));
  const limit = { requests: read("quota-requests"), tokens: read("quota-tokens") };
  const seconds = read("quota-window");
  const fields = { limits: { ...limits, [byId("quota-name").value]: limit } };
  if (seconds !== null) fields.window = seconds;
  if (await put(fields)) notify(t("quota.changed"));
}

function remove(name) {
  const { [name]: _, ...others } = limits;
  return put({ limits: others });
}

async function forget() {
  const now = await control("DELETE", "/quotas/usage");
  if (now) hear(now);
}

function build() {
  const input = (id, value, min = 0, step = 1) => h("input", { id, type: "number", min, step, value });
  fill(
    byId("panel-quotas"),
    h("div", { class: "bar" }, h("h2", {}, t("tab.quotas")), h("span", { class: "grow" }),
      h("button", { type: "button", id: "quota-forget", onclick: forget }, t("quota.forget"))),
    h("p", { class: "faint" }, t("quota.about"), " ", h("span", { id: "quota-window-now" })),
    h("div", { id: "quota-usage" }),
    h("h3", {}, t("quota.limits")),
    h("ul", { id: "quota-limits", class: "plain" }),
    h("form", { onsubmit: set },
      h("div", { class: "fields" },
        field(t, "quota.name", h("select", { id: "quota-name" }, names.map((name) => h("option", { value: name }, name === "*" ? t("quota.others") : name)))),
        field(t, "quota.requests", input("quota-requests", "60")), field(t, "quota.tokens", input("quota-tokens", "60000")),
        field(t, "quota.window", input("quota-window", "", 0.1, "any"))),
      h("button", { type: "submit", class: "main" }, t("quota.set"))),
  );
  if (names.includes("HCX-005")) byId("quota-name").value = "HCX-005";
  draw();
}

export function startQuotas() {
  build();
  onLanguage(build);
  on("about", (about) => { names = about.quota_names; build(); });
  on("state", hear);
}
