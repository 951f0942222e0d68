// The list of requests. However many arrive, a frame of the screen draws once and the list has 200 lines at most.

import { select } from "./detail.js";
import { bytes, byId, control, duration, fill, h } from "./dom.js";
import { show, shortcut } from "./frame.js";
import { on } from "./live.js";
import { onLanguage, t } from "./texts.js";

const MOST_ROWS = 1000; // known
const MOST_LINES = 200; // in the page
const rows = new Map(); // number -> row, in order of arrival
const lines = new Map(); // number -> element
const changed = new Set();
let paused = false;
let missed = new Set();
let selected = null;
let rebuild = false;
let drawing = false;
let state = null;

function matches(row) {
  const path = byId("filter-path").value.trim().toLowerCase();
  if (path && !row.path.toLowerCase().includes(path)) return false;
  const wanted = byId("filter-status").value;
  if (!wanted) return true;
  if (wanted === "fault") return Boolean(row.fault);
  if (wanted === "flight") return row.seconds === null;
  if (wanted === "refused") return row.status >= 400 || (row.code !== "" && row.code !== "20000");
  return String(row.status ?? "").startsWith(wanted);
}

function tone(row) {
  if (row.seconds === null) return "waiting";
  if (row.status === null || row.status >= 500) return "failed";
  return row.status >= 400 || (row.code && row.code !== "20000") ? "refused" : "good";
}

function tokens(row) {
  return [row.input_tokens, row.output_tokens].filter((count) => count !== null).join(" → ");
}

/** Draws one line anew, in its element. */
function draw(row, line) {
  const button = line.firstChild;
  const status = row.status ?? (row.seconds === null ? "…" : t("no.status"));
  const time = new Date(row.received * 1000).toLocaleTimeString("en-GB");
  const parts = [
    h("span", { class: `status ${tone(row)}` }, String(status)),
    h("span", { class: "path", title: row.path }, row.path),
    h("span", { class: "faint time" }, time),
    h("span", { class: "faint numbers" },
      [row.method, duration(row.seconds), tokens(row) && `${tokens(row)} ${t("tokens")}`, row.streamed && t("stream"), row.answer_size > 0 && bytes(row.answer_size)]
        .filter(Boolean).join(" · "),
      row.fault && h("span", { class: "chip fault" }, `${t("fault")} ${row.fault}`),
    ),
  ];
  const said = [row.code !== "20000" && row.code, row.message].filter(Boolean).join(" ");
  if (said) parts.push(h("span", { class: "said" }, said));
  if (row.hint) parts.push(h("span", { class: "hint" }, row.hint));
  fill(button, parts);
}

function addLine(row, list) {
  const line = h("li", { "data-number": row.number }, h("button", { type: "button", tabIndex: -1, onclick: () => choose(row.number) }));
  let next = list.firstElementChild;
  while (next !== null && Number(next.dataset.number) > row.number) next = next.nextElementSibling;
  list.insertBefore(line, next);
  lines.set(row.number, line);
  draw(row, line);
  mark(row.number);
}

function removeLine(number) {
  lines.get(number)?.remove();
  lines.delete(number);
}

function mark(number) {
  const button = lines.get(number)?.firstChild;
  if (number === selected) button?.setAttribute("aria-current", "true");
  else button?.removeAttribute("aria-current");
}

function refresh() {
  drawing = false;
  const list = byId("list");
  if (rebuild) {
    lines.clear();
    list.replaceChildren();
    const wanted = [...rows.values()].filter(matches).slice(-MOST_LINES);
    for (const row of wanted) addLine(row, list);
    rebuild = false;
  } else if (!paused) {
    // Of thousands that came at once, only those are drawn that stay in the list.
    for (const number of [...changed].sort((one, other) => one - other).slice(-2 * MOST_LINES)) {
      const row = rows.get(number);
      const line = lines.get(number);
      if (!row || !matches(row)) removeLine(number);
      else if (line) draw(row, line);
      else addLine(row, list);
    }
    while (list.childElementCount > MOST_LINES) removeLine(Number(list.lastElementChild.dataset.number));
  }
  if (!paused) changed.clear();
  frameList(list);
}

/** What stands around the lines: counts, the empty list, and which line the Tab key reaches. */
function frameList(list) {
  const shown = list.childElementCount;
  const reachable = lines.get(selected) ?? list.firstElementChild;
  for (const line of list.children) line.firstChild.tabIndex = line === reachable ? 0 : -1;
  byId("counts").textContent = state === null ? "" : t("counts", { received: state.received, flight: state.in_flight });
  const pause = byId("pause");
  pause.setAttribute("aria-pressed", String(paused));
  pause.textContent = paused ? t("resume", { count: missed.size }) : t("pause");
  byId("empty").hidden = shown > 0;
  if (!shown) fill(byId("empty"), h("p", {}, rows.size ? t("empty.filter") : t("empty")));
  const older = state === null ? 0 : state.received - shown;
  byId("more").hidden = shown < MOST_LINES;
  byId("more").textContent = t("more", { shown, older });
}

function later() {
  if (drawing) return;
  drawing = true;
  requestAnimationFrame(refresh);
}

function hear(news) {
  for (const row of news) {
    if (!rows.has(row.number) && paused) missed.add(row.number);
    rows.set(row.number, row);
    changed.add(row.number);
    if (row.number === selected) select(row.number, row);
  }
  while (rows.size > MOST_ROWS) {
    const oldest = rows.keys().next().value;
    rows.delete(oldest);
    changed.add(oldest);
  }
  later();
}

function hearState(now) {
  state = now;
  for (const number of rows.keys()) {
    if (number >= now.first) break;
    rows.delete(number);
    changed.add(number);
    missed.delete(number);
    if (!now.kept) rebuild = true; // all were cleared, which a paused list shows, too
  }
  later();
}

function choose(number) {
  const before = selected;
  selected = number;
  mark(before);
  mark(number);
  select(number, rows.get(number));
  show("detail");
  later();
}

/** Moves along the lines; the first press chooses the newest. */
function step(by) {
  const numbers = [...byId("list").children].map((line) => Number(line.dataset.number));
  if (!numbers.length) return;
  const index = numbers.indexOf(selected);
  const next = index < 0 ? 0 : Math.min(Math.max(index + by, 0), numbers.length - 1);
  choose(numbers[next]);
  const button = lines.get(numbers[next]).firstChild;
  button.tabIndex = 0;
  button.scrollIntoView({ block: "nearest" });
  if (button.checkVisibility()) button.focus();
}

function togglePause() {
  paused = !paused;
  missed = new Set();
  rebuild = !paused;
  later();
}

export function startRequests() {
  on("about", () => { // a new connection, perhaps to a new server: the newest requests follow
    rows.clear();
    rebuild = true;
  });
  on("requests", hear);
  on("state", hearState);
  onLanguage(() => { rebuild = true; later(); });
  for (const id of ["filter-path", "filter-status"]) byId(id).addEventListener("input", () => { rebuild = true; later(); });
  byId("pause").addEventListener("click", togglePause);
  byId("clear").addEventListener("click", () => control("DELETE", "/requests"));
  byId("list").addEventListener("keydown", (event) => {
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (by === undefined) return;
    event.preventDefault();
    step(by);
  });
  shortcut("j", "key.next", () => step(1), "j ↓");
  shortcut("k", "key.before", () => step(-1), "k ↑");
  shortcut("/", "key.filter", () => { show("requests"); byId("filter-path").focus(); });
  shortcut("p", "key.pause", togglePause);
  later();
}
