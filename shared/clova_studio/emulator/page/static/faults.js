// Faults: the usual ones as switches, any other by its fields, and those that are on.

import { byId, control, field, fill, h, notify } from "./dom.js";
import { on } from "./live.js";
import { onLanguage, t } from "./texts.js";

const PRESETS = [
  { id: "429", fault: { kind: "status", status: 429, code: "42901", headers: { "x-ratelimit-reset-requests": "5s" } } },
  { id: "500", fault: { kind: "status", status: 500, code: "50000" } },
  { id: "503", fault: { kind: "html", status: 503 } },
  { id: "slow", fault: { kind: "delay", seconds: 3 } },
  { id: "hang", fault: { kind: "hang" } },
  { id: "reset", fault: { kind: "reset" } },
  { id: "truncate", fault: { kind: "truncate" } },
  { id: "trickle", fault: { kind: "trickle" } },
  { id: "cut", fault: { kind: "cut", after: 3 } },
  { id: "error_event", fault: { kind: "error_event", after: 3 } },
];
const SAME = ["kind", "status", "code", "seconds", "after"];
let active = [];
let kinds = [];

const same = (one, other) => SAME.every((name) => (one[name] ?? (name === "after" ? 0 : null)) === (other[name] ?? (name === "after" ? 0 : null)));
const isOn = (preset) => active.filter((item) => same(item.fault, preset.fault));

/** The fields that a switch and the form share: how often, and at which requests. */
function scope() {
  const found = {};
  for (const name of ["times", "every"]) {
    const value = byId(`fault-${name}`).value;
    if (value !== "") found[name] = Number(value);
  }
  const path = byId("fault-path").value.trim();
  return path ? { ...found, path } : found;
}

async function toggle(preset, wanted) {
  if (wanted) await control("POST", "/faults", { ...preset.fault, ...scope() });
  else await Promise.all(isOn(preset).map((item) => control("DELETE", `/faults/${item.number}`)));
  await refresh();
}

async function add(event) {
  event.preventDefault();
  const fault = { kind: byId("fault-kind").value, ...scope() };
  for (const name of ["status", "after", "seconds", "delay"]) {
    const value = byId(`fault-${name}`).value;
    if (value !== "") fault[name] = Number(value);
  }
  for (const name of ["code", "message"]) {
    const value = byId(`fault-${name}`).value.trim();
    if (value) fault[name] = value;
  }
  if (await control("POST", "/faults", fault)) notify(t("fault.added"));
  await refresh();
}

async function refresh() {
  const found = await control("GET", "/faults");
  if (found) hear(found.faults);
}

function describe(fault) {
  const parts = Object.entries(fault).filter(([name, value]) => name !== "kind" && value !== null && value !== 0 && !(name === "headers" && !Object.keys(value).length));
  return parts.map(([name, value]) => `${name}=${typeof value === "object" ? JSON.stringify(value) : value}`).join(" · ");
}

function drawActive() {
  const list = active.map((item) => h("li", {},
    h("div", { class: "grow" }, h("b", {}, item.fault.kind), " ", h("span", { class: "faint" }, describe(item.fault)),
      h("br", {}), h("small", {}, t("fault.hits", { seen: item.seen, hit: item.hit }))),
    h("button", { type: "button", "aria-label": `${t("fault.remove")}: ${item.fault.kind}`,
      onclick: async () => { await control("DELETE", `/faults/${item.number}`); await refresh(); } }, t("fault.remove"))));
  fill(byId("fault-active"), list.length ? h("ul", { class: "plain" }, list) : h("p", { class: "faint" }, t("fault.none")));
  byId("fault-clear").hidden = !list.length;
  for (const preset of PRESETS) byId(`fault-switch-${preset.id}`).checked = isOn(preset).length > 0;
  byId("fault-count").textContent = String(active.length);
  byId("fault-count").hidden = !active.length;
}

function hear(faults) {
  active = faults;
  drawActive();
}

function number(id, min, step = 1) {
  return h("input", { id: `fault-${id}`, type: "number", min, step });
}

function build() {
  const switches = PRESETS.map((preset) => h("label", { class: "switch" },
    h("input", { type: "checkbox", role: "switch", id: `fault-switch-${preset.id}`, onchange: (event) => toggle(preset, event.target.checked) }),
    h("span", {}, h("b", {}, t(`preset.${preset.id}`)), h("small", { class: "faint" }, t(`preset.${preset.id}.about`)))));
  fill(
    byId("panel-faults"),
    h("h2", {}, t("tab.faults")),
    h("p", { class: "faint" }, t("fault.about")),
    h("div", { class: "fields" },
      field(t, "fault.path", h("input", { id: "fault-path", type: "text", placeholder: "/chat-completions/" })),
      field(t, "fault.every", number("every", 1)), field(t, "fault.times", number("times", 1))),
    h("div", { class: "switches" }, switches),
    h("div", { class: "bar" }, h("h3", {}, t("fault.active")), h("span", { class: "grow" }),
      h("button", { type: "button", id: "fault-clear", onclick: async () => { await control("DELETE", "/faults"); await refresh(); } }, t("fault.clear"))),
    h("div", { id: "fault-active" }),
    h("details", {}, h("summary", {}, t("fault.other")),
      h("form", { onsubmit: add },
        h("div", { class: "fields" },
          field(t, "fault.kind", h("select", { id: "fault-kind" }, kinds.map((kind) => h("option", { value: kind }, kind)))),
          field(t, "fault.status", number("status", 200)), field(t, "fault.code", h("input", { id: "fault-code", type: "text" })),
          field(t, "fault.message", h("input", { id: "fault-message", type: "text" })),
          field(t, "fault.after", number("after", 0)), field(t, "fault.seconds", number("seconds", 0, "any")),
          field(t, "fault.delay", number("delay", 0, "any"))),
        h("button", { type: "submit", class: "main" }, t("fault.add")))),
  );
  drawActive();
}

export function startFaults() {
  build();
  onLanguage(build);
  on("about", (about) => { kinds = about.fault_kinds; build(); });
  on("state", (state) => hear(state.faults));
}
