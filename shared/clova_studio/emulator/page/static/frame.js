// What frames the panels: tabs, language, theme and shortcuts.

import { byId, fill, h } from "./dom.js";
import { language, setLanguage, t, translate } from "./texts.js";

const TABS = ["requests", "playground", "detail", "faults", "quotas", "about"];
const WIDE = matchMedia("(min-width: 1000px)");
let current = "playground";

/** Keeps a choice for the next visit, where the browser allows that. */
function keep(name, value) {
  try {
    localStorage.setItem(`clova-emulator-${name}`, value);
  } catch { /* no storage: the choice lasts as long as the page */ }
}

function kept(name) {
  try {
    return localStorage.getItem(`clova-emulator-${name}`);
  } catch {
    return null;
  }
}

/** The tabs that there are: on a wide screen the list of requests is always beside them. */
const tabs = () => (WIDE.matches ? TABS.slice(1) : TABS);

export function show(name, focus = false) {
  current = tabs().includes(name) ? name : tabs()[0];
  document.body.dataset.tab = current;
  for (const tab of TABS) {
    const button = byId(`tab-${tab}`);
    button.setAttribute("aria-selected", String(tab === current));
    button.tabIndex = tab === current ? 0 : -1;
    byId(`panel-${tab}`).hidden = tab !== current && !(tab === "requests" && WIDE.matches);
  }
  history.replaceState(null, "", `#${current}`);
  const shown = byId(`tab-${current}`);
  shown.scrollIntoView({ block: "nearest", inline: "nearest" });
  if (focus) shown.focus();
}

function moveTab(event) {
  const moves = { ArrowRight: 1, ArrowLeft: -1 };
  const names = tabs();
  const index = names.indexOf(current);
  let next;
  if (event.key in moves) next = (index + moves[event.key] + names.length) % names.length;
  else if (event.key === "Home") next = 0;
  else if (event.key === "End") next = names.length - 1;
  else return;
  event.preventDefault();
  show(names[next], true);
}

function setTheme(theme) {
  if (theme === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  byId("theme").value = theme;
  keep("theme", theme);
}

function chooseLanguage(name) {
  keep("language", name);
  setLanguage(name);
  byId("language").value = name;
}

const shortcuts = [];

/** Adds a key that works outside of fields, with the text that explains it. */
export function shortcut(key, text, run, shown = key) {
  shortcuts.push({ key, text, run, shown });
}

function onKey(event) {
  const target = event.target;
  const typing = target.matches("input:not([type=checkbox]), textarea, select");
  if (event.key === "Escape" && typing) target.blur();
  if (typing || event.ctrlKey || event.metaKey || event.altKey || byId("shortcuts").open) return;
  const found = shortcuts.find((item) => item.key === event.key);
  if (!found?.run) return;
  event.preventDefault();
  found.run();
}

function showShortcuts() {
  fill(byId("shortcut-list"), shortcuts.filter((item) => !item.hidden).map((item) => [h("dt", {}, h("kbd", {}, item.shown)), h("dd", {}, t(item.text))]));
  byId("shortcuts").showModal();
}

export function startFrame() {
  setTheme(kept("theme") ?? "auto");
  const browser = (navigator.languages ?? [navigator.language]).find((name) => /^(ko|en)\b/i.test(name)) ?? "en";
  const chosen = kept("language") ?? browser.slice(0, 2).toLowerCase();
  setLanguage(chosen);
  byId("language").value = language();
  translate(document);

  byId("language").addEventListener("change", (event) => chooseLanguage(event.target.value));
  byId("theme").addEventListener("change", (event) => setTheme(event.target.value));
  byId("help").addEventListener("click", showShortcuts);
  byId("close-shortcuts").addEventListener("click", () => byId("shortcuts").close());
  byId("tabs").addEventListener("keydown", moveTab);
  for (const tab of TABS) byId(`tab-${tab}`).addEventListener("click", () => show(tab));
  WIDE.addEventListener("change", () => show(current));
  addEventListener("hashchange", () => show(location.hash.slice(1)));
  document.addEventListener("keydown", onKey);

  shortcut("?", "key.help", showShortcuts);
  shortcut("1", "key.tabs", () => show(tabs()[0], true), "1 – 6");
  for (let digit = 2; digit <= TABS.length; digit += 1) {
    shortcuts.push({ key: String(digit), run: () => digit <= tabs().length && show(tabs()[digit - 1], true), hidden: true });
  }
  shortcut("l", "key.language", () => chooseLanguage(language() === "ko" ? "en" : "ko"));
  shortcut("t", "key.theme", () => {
    const order = ["auto", "light", "dark"];
    setTheme(order[(order.indexOf(byId("theme").value) + 1) % order.length]);
  });
  show(location.hash.slice(1) || "playground");
}
