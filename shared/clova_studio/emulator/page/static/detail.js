// One request: what was sent, what came back, and when.

import { byId, bytes, codeBlock, duration, fill, h } from "./dom.js";
import { onLanguage, t } from "./texts.js";

const MOST_TEXT = 100_000;
const MOST_EVENTS = 1000;
const AGAIN = 500; // milliseconds until an answer that still comes is read again
let number = null;
let shown = null;
let asking = false;
let stale = false;
let timer;

/** Shows a request; called again with each news of it. */
export function select(wanted, row) {
  if (wanted !== number) {
    number = wanted;
    shown = null;
    draw();
  }
  stale = true;
  if (row !== undefined) load();
}

async function load() {
  if (asking) return;
  asking = true;
  clearTimeout(timer);
  while (stale) {
    stale = false;
    const wanted = number;
    const answer = await fetch(`/_emulator/requests/${wanted}`).catch(() => null);
    const value = answer?.ok ? await answer.json() : { number: wanted, gone: true };
    if (wanted !== number) {
      stale = true;
      continue;
    }
    shown = value;
    draw();
  }
  asking = false;
  if (shown && !shown.gone && shown.seconds === null) timer = setTimeout(() => { stale = true; load(); }, AGAIN);
}

function pretty(value, text) {
  const whole = value === null || value === undefined ? (text ?? "") : JSON.stringify(value, null, 2);
  return whole.length > MOST_TEXT ? `${whole.slice(0, MOST_TEXT)}\n… ${t("cut", { size: bytes(whole.length) })}` : whole;
}

function facts(pairs) {
  return h("dl", { class: "facts" }, pairs.filter(([, value]) => value).map(([key, value]) => [h("dt", {}, t(key)), h("dd", {}, value)]));
}

function headers(title, values) {
  const lines = Object.entries(values).map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]);
  return lines.length ? h("details", {}, h("summary", {}, t(title)), h("dl", { class: "facts mono" }, lines)) : null;
}

function eventTable(events) {
  const head = h("tr", {}, ["time", "event", "data"].map((key) => h("th", { scope: "col" }, t(`event.${key}`))));
  let before = null;
  const body = events.slice(0, MOST_EVENTS).map((event) => {
    const gap = event.seconds === null || before === null ? "" : ` +${duration(event.seconds - before)}`;
    before = event.seconds;
    return h("tr", {},
      h("td", { class: "when" }, event.seconds === null ? "–" : duration(event.seconds), h("span", { class: "faint" }, gap)),
      h("td", { class: "name" }, event.event || "–"),
      h("td", { class: "data" }, event.data.slice(0, 2000)),
    );
  });
  return h("div", { class: "scroll", tabIndex: 0, role: "region", "aria-label": t("detail.events") },
    h("table", { class: "events" }, h("thead", {}, head), h("tbody", {}, body)));
}

function draw() {
  const panel = byId("panel-detail");
  if (number === null) {
    fill(panel, h("h2", {}, t("tab.detail")), h("p", { class: "empty" }, t("detail.none")));
    return;
  }
  const title = h("h2", {}, t("detail.title", { number }));
  if (shown === null || shown.gone) {
    fill(panel, title, h("p", { class: "empty" }, shown === null ? t("detail.loading") : t("detail.gone")));
    return;
  }
  const answer = shown.answer;
  const open = [...panel.querySelectorAll("details")].map((item) => item.open);
  const tokens = answer.input_tokens === null && answer.output_tokens === null
    ? "" : t("detail.tokens", { input: answer.input_tokens ?? "–", output: answer.output_tokens ?? "–" });
  const status = shown.status ?? (shown.seconds === null ? t("detail.waiting") : t("no.status.long"));
  const sent = pretty(shown.body, shown.text);
  const got = pretty(answer.body, answer.text);
  const query = Object.keys(shown.query).length ? `?${new URLSearchParams(shown.query)}` : "";
  fill(
    panel,
    title,
    h("p", { class: "mono address" }, `${shown.method} ${shown.path}${query}`),
    shown.hint ? h("p", { class: "advice" }, h("b", {}, `${t("hint")} `), shown.hint) : null,
    facts([
      ["detail.status", [status, shown.code].filter(Boolean).join(" · ")],
      ["detail.message", shown.message],
      ["fault", shown.fault],
      ["detail.received", new Date(shown.received).toLocaleString()],
      ["detail.seconds", duration(shown.seconds)],
      ["detail.count", tokens],
      ["detail.size", `${bytes(shown.size)} → ${bytes(answer.size)}${answer.cut ? ` (${t("detail.cut")})` : ""}`],
    ]),
    h("h3", {}, t("detail.request")),
    sent ? codeBlock(t, sent, t("detail.request")) : h("p", { class: "faint" }, t("detail.nobody")),
    headers("detail.headers", shown.headers),
    h("h3", {}, answer.events.length ? t("detail.events") : t("detail.answer")),
    answer.events.length ? eventTable(answer.events) : null,
    got ? codeBlock(t, got, t("detail.answer")) : null,
    !got && !answer.events.length ? h("p", { class: "faint" }, t("detail.nobody")) : null,
    headers("detail.answer.headers", answer.headers),
  );
  [...panel.querySelectorAll("details")].forEach((item, index) => { item.open = open[index] ?? false; });
}

export function startDetail() {
  onLanguage(draw);
  draw();
}
