// Small helpers. Values reach the page as text nodes and attributes alone: nothing here reads a text as HTML.

export const byId = (id) => document.getElementById(id);

/** An element with properties, listeners (onclick), attributes (aria-*, data-*) and children, which may be texts. */
export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null) continue;
    if (name === "class") element.className = value;
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name in element && !name.includes("-")) element[name] = value;
    else element.setAttribute(name, value);
  }
  fill(element, ...children);
  return element;
}

/** Replaces the children of an element. */
export function fill(element, ...children) {
  element.replaceChildren(...children.flat(3).filter((child) => child !== undefined && child !== null && child !== false));
}

/** A labelled field; the label's text is a key of the texts. */
export function field(t, key, control, hint) {
  return h("label", { class: "field" }, h("span", { "data-text": key }, t(key)), control, hint ? h("small", {}, hint) : null);
}

/** A block of code with a button that copies it. */
export function codeBlock(t, text, name) {
  const code = h("code", {}, text);
  const copy = h("button", { type: "button", class: "copy", onclick: () => copyText(t, code.textContent) }, t("copy"));
  copy.setAttribute("aria-label", `${t("copy")}: ${name}`);
  return h("div", { class: "code" }, h("pre", { tabIndex: 0, role: "region", "aria-label": name }, code), copy);
}

async function copyText(t, text) {
  try {
    await navigator.clipboard.writeText(text);
    notify(t("copied"));
  } catch {
    notify(t("copy.failed"));
  }
}

let hiding;

/** Says something for a moment, also to screen readers. */
export function notify(text, bad = false) {
  const notice = byId("notice");
  notice.textContent = text;
  notice.className = bad ? "shown bad" : "shown";
  clearTimeout(hiding);
  hiding = setTimeout(() => { notice.className = ""; }, 4000);
}

/** A request to control; what it refuses is shown, and then the result is null. */
export async function control(method, path, body) {
  try {
    const answer = await fetch(`/_emulator${path}`, { method, body: body === undefined ? undefined : JSON.stringify(body) });
    const value = await answer.json();
    if (answer.ok) return value;
    notify(value.error.message, true);
  } catch (error) {
    notify(String(error.message ?? error), true);
  }
  return null;
}

export function duration(seconds) {
  if (seconds === null || seconds === undefined) return "";
  if (seconds === 0) return "0 ms";
  if (seconds < 0.001) return `${(seconds * 1000).toFixed(2)} ms`;
  if (seconds < 1) return `${(seconds * 1000).toFixed(seconds < 0.01 ? 1 : 0)} ms`;
  return `${seconds.toFixed(seconds < 10 ? 2 : 1)} s`;
}

export function bytes(count) {
  if (count < 1024) return `${count} B`;
  if (count < 1024 * 1024) return `${(count / 1024).toFixed(1)} KiB`;
  return `${(count / 1024 / 1024).toFixed(1)} MiB`;
}
