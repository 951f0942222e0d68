// The texts of the page, in English here and in Korean beside it.

import { KOREAN } from "./texts_ko.js";

const ENGLISH = {
  skip: "Skip to the requests", title: "CLOVA Studio emulator", language: "Language", theme: "Theme",
  "theme.auto": "System", "theme.light": "Light", "theme.dark": "Dark", help: "Keyboard shortcuts",
  shortcuts: "Keyboard shortcuts", close: "Close", tabs: "Parts of the page",
  "tab.requests": "Requests", "tab.playground": "Playground", "tab.detail": "Request", "tab.faults": "Faults",
  "tab.quotas": "Quotas", "tab.about": "Server",
  copy: "Copy", copied: "Copied", "copy.failed": "The browser does not let this page copy",
  "live.connecting": "connecting", "live.open": "live", "live.lost": "no connection", "live.resting": "resting",

  requests: "Requests", counts: "{received} received, {flight} in flight", pause: "Pause", resume: "Resume ({count} new)",
  clear: "Clear", "filter.path": "Filter by path", "filter.status": "Filter by status", "status.all": "Every status",
  "status.good": "2xx", "status.refused": "Refused", "status.fault": "With a fault", "status.flight": "In flight",
  empty: "No request yet. Send one from the playground, or point your program at this address.",
  "empty.filter": "No request matches the filter.", more: "The newest {shown} are shown.",
  tokens: "tokens", stream: "stream", fault: "Fault", "no.status": "none", "no.status.long": "no answer",

  "detail.none": "Choose a request from the list.", "detail.loading": "Loading …",
  "detail.gone": "This request is no longer kept.", "detail.title": "Request {number}", "detail.status": "Status",
  "detail.waiting": "in flight", "detail.message": "Message", "detail.received": "Received", "detail.seconds": "Time",
  "detail.count": "Tokens", "detail.tokens": "{input} in, {output} out", "detail.size": "Size",
  "detail.cut": "the first 128 KiB are kept", "detail.request": "Body", "detail.headers": "Headers of the request",
  "detail.answer": "Answer", "detail.events": "Events of the answer", "detail.answer.headers": "Headers of the answer",
  "detail.nobody": "No body.", hint: "Hint:", cut: "{size} in all", "event.time": "Time", "event.event": "Event",
  "event.data": "Data",

  "pg.about": "Chats with this emulator over HTTP, as your program does. Its answers are computed, not written by a model.",
  "pg.model": "Model", "pg.effort": "Thinking", "pg.key": "API key", "pg.parameters": "System prompt and parameters",
  "pg.system": "System prompt", "pg.temperature": "Temperature", "pg.topP": "Top P", "pg.topK": "Top K",
  "pg.maxTokens": "Most output tokens", "pg.repetition": "Repetition penalty", "pg.seed": "Seed",
  "pg.stop": "Stop texts, separated by commas", "pg.default": "default", "pg.turns": "Conversation",
  "pg.prompt": "Your message", "pg.stream": "Stream", "pg.send": "Send", "pg.new": "New conversation",
  "pg.code": "The same as code", "pg.stopped": "Stopped.", "pg.failed": "Not answered:",
  "pg.cut": "The stream ended before its result.",
  "pg.note": "{input} tokens in, {output} out · {reason} · {time}", "pg.end": "Stop",
  "role.user": "You", "role.assistant": "Emulator",

  "fault.about": "What goes wrong with the requests that come from now on. The fields below narrow the next fault that you switch on.",
  "fault.path": "Only paths with", "fault.every": "Only every n-th", "fault.times": "This many times",
  "fault.active": "Switched on", "fault.none": "Nothing goes wrong.", "fault.clear": "Switch all off",
  "fault.hits": "matched {seen}, hit {hit}", "fault.remove": "Switch off", "fault.other": "Any other fault",
  "fault.kind": "Kind", "fault.status": "HTTP status", "fault.code": "Code", "fault.message": "Message",
  "fault.after": "After so many token events", "fault.seconds": "Delay in seconds",
  "fault.delay": "Seconds between bytes", "fault.add": "Switch on", "fault.added": "The fault is on.",
  "preset.429": "429 Too many requests", "preset.429.about": "code 42901, reset in 5 s",
  "preset.500": "500 Internal error", "preset.500.about": "code 50000",
  "preset.503": "503 Gateway page", "preset.503.about": "HTML instead of JSON",
  "preset.slow": "Slow answer", "preset.slow.about": "3 seconds later",
  "preset.hang": "No answer", "preset.hang.about": "the connection stays open",
  "preset.reset": "Connection reset", "preset.reset.about": "before the headers",
  "preset.truncate": "Cut body", "preset.truncate.about": "half of the JSON or of an event",
  "preset.trickle": "Trickle", "preset.trickle.about": "byte by byte",
  "preset.cut": "Cut stream", "preset.cut.about": "ends after 3 tokens, without result",
  "preset.error_event": "Error in a stream", "preset.error_event.about": "after 3 tokens",

  "quota.about": "Requests and tokens of each key and model.", "quota.window.now": "A window has {seconds} s; it counts {counting}.",
  "counting.fixed": "from its first request", "counting.sliding": "the last seconds", "counting.aligned": "with the clock",
  "counting.bucket": "by refilling all the time", "quota.none": "No quota is set, so nothing is refused for it.",
  "quota.unused": "Nothing is used yet.", "quota.account": "key {account}", "quota.requests": "Requests",
  "quota.tokens": "Tokens", "quota.reset": "reset in {seconds} s", "quota.limits": "Limits",
  "quota.limit": "{requests} requests, {tokens} tokens", "quota.remove": "Remove", "quota.name": "Model or tool",
  "quota.others": "* (all others)", "quota.window": "Window in seconds", "quota.set": "Set limit",
  "quota.changed": "The quota is set; what was used is forgotten.", "quota.forget": "Forget usage",

  "about.what": "A local CLOVA Studio: the wire, refusals, quotas and faults of the service, without a key of it and without cost. It is not a language model.",
  "about.behaviour": "Behaviour", "behaviour.observed": "observed: answers as traffic was recorded",
  "behaviour.documented": "documented: answers as the API guide has them", "behaviour.changed": "{count} facts changed", "about.address": "Address",
  "mode.record": "record: passes requests on to {upstream}, with your own key and at its cost, and writes the answers",
  "mode.replay": "replay: answers from a recording; what is not in it is a 404", "about.key.own": "your own",
  "about.key": "API key", "about.key.any": "{key}, or any of the form nv-…", "about.key.hidden": "one of those given at the start",
  "about.version": "Version", "about.latency": "Latency", "about.latencies": "{answer} before an answer, {token} between tokens",
  "about.scripted": "Scripted answers to come", "about.dropped": "Older requests, not kept",
  "about.point": "Point your program at it", "about.environment": "The client, the LangChain and the LlamaIndex classes read these variables:",
  "about.shell": "Environment", "about.openai": "A client of OpenAI's API:", "about.javascript": "Any other program sends its requests here instead:",
  "about.steer": "Steer it from a test", "about.control": "Whatever this page does, a test does by HTTP under /_emulator, without a key.",
  "about.health": "what it counts", "about.requests": "what arrived", "about.openapi": "all that there is, as OpenAPI",
  "about.reset": "Reset requests, scripts, faults and usage", "about.reset.done": "All is forgotten.",

  "key.help": "these shortcuts", "key.tabs": "a part of the page", "key.language": "the other language",
  "key.theme": "system, light, dark", "key.next": "next line", "key.before": "line before", "key.filter": "filter by path",
  "key.pause": "pause, resume", "key.prompt": "write a message", "key.send": "send the message",
};

const LANGUAGES = { en: ENGLISH, ko: KOREAN };
const listeners = [];
let chosen = "en";

export const language = () => chosen;

/** A text by its key, with values for what stands in braces. */
export function t(key, values = {}) {
  const text = LANGUAGES[chosen][key] ?? ENGLISH[key] ?? key;
  return text.replace(/\{(\w+)\}/g, (_, name) => String(values[name] ?? ""));
}

/** Calls a function when the language changes. */
export function onLanguage(listener) {
  listeners.push(listener);
}

/** Writes the texts of elements that name their keys. */
export function translate(root) {
  for (const element of root.querySelectorAll("[data-text]")) element.textContent = t(element.dataset.text);
  for (const element of root.querySelectorAll("[data-label]")) element.setAttribute("aria-label", t(element.dataset.label));
  for (const element of root.querySelectorAll("[data-hint]")) element.setAttribute("placeholder", t(element.dataset.hint));
}

export function setLanguage(name) {
  chosen = name in LANGUAGES ? name : "en";
  document.documentElement.lang = chosen;
  document.title = t("title");
  translate(document);
  for (const listener of listeners) listener();
}
