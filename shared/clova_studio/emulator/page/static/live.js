// The events of the server. A page that nobody looks at listens to nothing.

import { byId } from "./dom.js";
import { onLanguage, t } from "./texts.js";

const listeners = { about: [], requests: [], state: [] };
let source = null;
let status = "connecting";

/** Calls a function with the value of each event of a name. */
export function on(name, listener) {
  listeners[name].push(listener);
}

function say(now) {
  status = now;
  const place = byId("connection");
  place.textContent = t(`live.${status}`);
  place.className = status;
}

function connect() {
  if (source !== null) return;
  source = new EventSource("/_emulator/events");
  source.onopen = () => say("open");
  source.onerror = () => say(document.hidden ? "resting" : "lost");
  for (const [name, heard] of Object.entries(listeners)) {
    source.addEventListener(name, (event) => {
      const value = JSON.parse(event.data);
      for (const listener of heard) listener(value);
    });
  }
}

function disconnect() {
  source?.close();
  source = null;
  say("resting");
}

export function startLive() {
  say("connecting");
  onLanguage(() => say(status));
  document.addEventListener("visibilitychange", () => (document.hidden ? disconnect() : connect()));
  connect();
}
