// A chat with the emulator, as a program would have it, and the code of that program.

import { LANGUAGES, PARAMETERS, asRequest } from "./code.js";
import { byId, codeBlock, duration, field, fill, h } from "./dom.js";
import { show, shortcut } from "./frame.js";
import { on } from "./live.js";
import { onLanguage, t } from "./texts.js";

const EFFORTS = ["none", "low", "medium", "high"];
const turns = []; // {role, content, thinking, note, failed}
let models = [];
let key = "";
let mode = "compute";
let upstream = "";
let keyTold = false;
let running = null;
let language = "curl";
let drawing = false;

function inputs() {
  return {
    model: h("select", { id: "pg-model", onchange: changed }, models.map((model) => h("option", { value: model.name }, model.name))),
    key: h("input", { id: "pg-key", type: "text", autocomplete: "off", spellcheck: false, value: key, oninput: changed }),
    system: h("textarea", { id: "pg-system", rows: 2, oninput: changed }),
    stream: h("input", { id: "pg-stream", type: "checkbox", checked: true, onchange: changed }),
    effort: h("select", { id: "pg-effort", onchange: changed }, [h("option", { value: "" }, "–"), ...EFFORTS.map((name) => h("option", { value: name }, name))]),
  };
}

function values() {
  const found = {};
  for (const parameter of PARAMETERS) {
    const written = byId(`pg-${parameter.id}`).value;
    if (written === "") continue;
    if (parameter.type === "number") found[parameter.id] = Number(written);
    else found[parameter.id] = written.split(",").map((part) => part.trim()).filter(Boolean);
  }
  return found;
}

/** What would be sent now: the conversation and the text that is being written; with none, what was sent last. */
function chat() {
  const system = byId("pg-system").value;
  const written = byId("pg-prompt").value;
  const messages = turns.filter((turn) => !turn.failed).map(({ role, content }) => ({ role, content }));
  if (system.trim()) messages.unshift({ role: "system", content: system });
  if (written.trim()) messages.push({ role: "user", content: written });
  else if (messages.at(-1)?.role === "assistant") messages.pop();
  const model = models.find((item) => item.name === byId("pg-model").value) ?? models[0];
  return {
    model,
    messages: messages.some(({ role }) => role === "user") ? messages : [...messages, { role: "user", content: "안녕하세요?" }],
    values: values(),
    effort: model.thinking ? byId("pg-effort").value : "",
    stream: byId("pg-stream").checked,
  };
}

function changed() {
  key = byId("pg-key").value;
  const model = models.find((item) => item.name === byId("pg-model").value);
  byId("pg-effort").disabled = !model?.thinking;
  drawCode();
}

function drawCode() {
  if (!models.length) return;
  const text = LANGUAGES[language](chat(), location.origin, key || "nv-...");
  fill(byId("pg-code"), codeBlock(t, text, language));
  for (const name of Object.keys(LANGUAGES)) byId(`pg-code-${name}`).setAttribute("aria-pressed", String(name === language));
}

function drawTurns() {
  drawing = false;
  const place = byId("pg-turns");
  const low = place.scrollHeight - place.scrollTop - place.clientHeight < 40;
  fill(place, turns.map((turn) => h("div", { class: `turn ${turn.role}${turn.failed ? " bad" : ""}` },
    h("b", {}, t(`role.${turn.role}`)),
    turn.thinking ? h("p", { class: "thinking" }, turn.thinking) : null,
    h("p", { class: "content" }, turn.content),
    turn.note ? h("small", { class: "faint" }, turn.note) : null,
  )));
  place.hidden = !turns.length;
  if (low) place.scrollTop = place.scrollHeight;
}

function drawSoon() {
  if (drawing) return;
  drawing = true;
  requestAnimationFrame(drawTurns);
}

/** The events of a stream as [name, data], as its bytes arrive. */
async function* readEvents(body) {
  let text = "";
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    text += value;
    const frames = text.split("\n\n");
    text = frames.pop();
    for (const frame of frames) {
      const fields = Object.fromEntries(frame.split("\n").map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1).trimStart()]));
      if (fields.data) yield [fields.event ?? "", fields.data];
    }
  }
}

function finish(turn, result, since) {
  turn.content = result.message.content;
  turn.thinking = result.message.thinkingContent ?? "";
  const usage = result.usage ?? { promptTokens: result.inputLength, completionTokens: result.outputLength };
  turn.note = t("pg.note", {
    input: usage.promptTokens, output: usage.completionTokens,
    reason: result.finishReason ?? result.stopReason ?? "", time: duration((performance.now() - since) / 1000),
  });
}

async function receive(answer, turn, since) {
  if (!(answer.headers.get("content-type") ?? "").startsWith("text/event-stream")) {
    const text = await answer.text();
    let value = null;
    try { value = JSON.parse(text); } catch { /* a gateway's page, or a cut body */ }
    if (answer.ok && value?.result) finish(turn, value.result, since);
    else {
      const said = value?.status ? `${value.status.code} ${value.status.message}` : text.slice(0, 300);
      const hint = answer.headers.get("x-clova-emulator-hint");
      throw new Error([`HTTP ${answer.status}`, said, hint && `→ ${hint}`].filter(Boolean).join("\n"));
    }
    return;
  }
  let whole = false;
  for await (const [event, data] of readEvents(answer.body)) {
    const value = JSON.parse(data);
    if (event === "token") {
      turn.content += value.message?.content ?? "";
      turn.thinking += value.message?.thinkingContent ?? "";
    } else if (event === "result") {
      finish(turn, value, since);
      whole = true;
    } else if (event === "error") throw new Error(`${value.status?.code} ${value.status?.message}`);
    drawSoon();
  }
  if (!whole) throw new Error(t("pg.cut"));
}

async function send(event) {
  event?.preventDefault();
  const prompt = byId("pg-prompt");
  if (running || !prompt.value.trim() || !models.length) return;
  const sent = chat();
  const { path, body } = asRequest(sent);
  const question = { role: "user", content: prompt.value };
  const turn = { role: "assistant", content: "", thinking: "" };
  turns.push(question, turn);
  prompt.value = "";
  running = new AbortController();
  buttons();
  drawTurns();
  drawCode();
  const since = performance.now();
  try {
    const headers = { authorization: `Bearer ${key}`, "content-type": "application/json" };
    if (sent.stream) headers.accept = "text/event-stream";
    const answer = await fetch(path, { method: "POST", headers, body: JSON.stringify(body), signal: running.signal });
    await receive(answer, turn, since);
  } catch (error) {
    // What failed is shown and not sent again; its text is there to be tried once more.
    turn.failed = question.failed = true;
    turn.note = error.name === "AbortError" ? t("pg.stopped") : `${t("pg.failed")} ${error.message}`;
    if (!prompt.value) prompt.value = question.content;
  }
  running = null;
  buttons();
  drawTurns();
  drawCode();
}

function buttons() {
  byId("pg-send").hidden = running !== null;
  byId("pg-end").hidden = running === null;
}

function clear() {
  running?.abort();
  turns.length = 0;
  drawTurns();
  drawCode();
}

function build() {
  const own = inputs();
  const parameters = PARAMETERS.map((parameter) => {
    const { id, type, min, max, step } = parameter;
    const input = h("input", { id: `pg-${id}`, type, min, max, step, placeholder: t("pg.default"), oninput: changed });
    return field(t, `pg.${id}`, input);
  });
  const prompt = h("textarea", {
    id: "pg-prompt", rows: 3, "aria-label": t("pg.prompt"), placeholder: t("pg.prompt"), oninput: drawCode,
    onkeydown: (event) => { if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) send(event); },
  });
  fill(
    byId("panel-playground"),
    h("div", { class: "bar" }, h("h2", {}, t("tab.playground")), h("span", { class: "grow" }), h("button", { type: "button", id: "pg-clear", onclick: clear }, t("pg.new"))),
    h("p", { class: "faint" }, mode === "compute" ? t("pg.about") : t(`mode.${mode}`, { upstream })),
    h("div", { class: "fields" }, field(t, "pg.model", own.model), field(t, "pg.effort", own.effort), field(t, "pg.key", own.key)),
    h("details", { id: "pg-more" }, h("summary", {}, t("pg.parameters")),
      field(t, "pg.system", own.system), h("div", { class: "fields" }, parameters)),
    h("div", { id: "pg-turns", hidden: true, role: "log", tabIndex: 0, "aria-label": t("pg.turns") }),
    h("form", { onsubmit: send }, prompt,
      h("div", { class: "bar" },
        h("label", { class: "check" }, own.stream, t("pg.stream")), h("span", { class: "grow" }),
        h("button", { type: "submit", id: "pg-send", class: "main", title: "Ctrl+Enter", "aria-keyshortcuts": "Control+Enter" }, t("pg.send")),
        h("button", { type: "button", id: "pg-end", hidden: true, onclick: () => running?.abort() }, t("pg.end")))),
    h("div", { class: "bar" }, h("h3", {}, t("pg.code")), h("span", { class: "grow" }),
      h("div", { class: "group", role: "group", "aria-label": t("pg.code") }, Object.keys(LANGUAGES).map((name) =>
        h("button", { type: "button", id: `pg-code-${name}`, onclick: () => { language = name; drawCode(); } }, name)))),
    h("div", { id: "pg-code" }),
  );
}

/** Builds the form anew, in another language or with other models, and keeps what was written. */
function rebuild() {
  const panel = byId("panel-playground");
  const kept = [...panel.querySelectorAll("input, select, textarea")].map((item) => [item.id, item.type === "checkbox" ? "checked" : "value", item.type === "checkbox" ? item.checked : item.value]);
  const open = byId("pg-more")?.open ?? false;
  build();
  for (const [id, name, value] of kept) {
    if (id !== "pg-key" && (value !== "" || name === "checked")) byId(id)[name] = value;
  }
  if (!byId("pg-model").value && models.length) byId("pg-model").value = models[0].name;
  byId("pg-more").open = open;
  buttons();
  drawTurns();
  changed();
}

export function startPlayground() {
  build();
  onLanguage(rebuild);
  on("about", (about) => {
    ({ models, mode, upstream } = about);
    if (!keyTold) key = about.key ?? "";
    keyTold = true;
    rebuild();
  });
  shortcut("n", "key.prompt", () => { show("playground"); byId("pg-prompt").focus(); });
  shortcut("Ctrl+Enter", "key.send", null);
}
