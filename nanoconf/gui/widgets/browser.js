// Browser side of the page: store the user's inputs, measure the space for figures, let the focus
// leave figures, download files, name the controls for screen readers, follow the page's address,
// keep messages in order, detect a lost kernel, and shut the kernel down with the page. See browser.py.

const KEY = "nanoconf";
const ADDRESS_KEY = "nanoconf-address";
const PULSE_MS = 2000;
const PATIENCE_MS = 5000;
const ANSWER_MS = 4000;
const SETTLE_MS = 120;
const FIGURE = ".jupyter-matplotlib-canvas-div";
const LEAVING = ["Tab", "Escape"];

const FIGURE_NAME = "Figure: + and − zoom, Shift with arrows pans, h resets, Esc leaves";

// Names and roles that ipywidgets and ipympl leave out, by selector.
const ATTRIBUTES = [
  [".nc-header", { role: "banner" }],
  [".nc-left", { role: "region", "aria-label": "Inputs" }],
  [".nc-right", { role: "main" }],
  [".nc-status", { role: "contentinfo" }],
  [".nc-presets select", { "aria-label": "Presets" }],
  [".widget-play button:has(> .fa-play)", { "aria-label": "Play" }],
  [".widget-play button:has(> .fa-pause)", { "aria-label": "Pause" }],
  [".widget-play button:has(> .fa-stop)", { "aria-label": "Stop and rewind" }],
  [".widget-play button:has(> .fa-retweet)", { "aria-label": "Repeat" }],
  [FIGURE, { role: "application", "aria-label": FIGURE_NAME }],
  [".jupyter-matplotlib-button:has(> .fa-home)", { "aria-label": "Reset view" }],
  [".jupyter-matplotlib-button:has(> .fa-arrow-left)", { "aria-label": "Previous view" }],
  [".jupyter-matplotlib-button:has(> .fa-arrow-right)", { "aria-label": "Next view" }],
  [".jupyter-matplotlib-button:has(> .fa-arrows)", { "aria-label": "Pan with the mouse" }],
  [".jupyter-matplotlib-button:has(> .fa-square-o)", { "aria-label": "Zoom to a rectangle" }],
  [".jupyter-matplotlib-button:has(> .fa-floppy-o)", { "aria-label": "Download plot" }],
  [".nc-page-log", { role: "region", tabindex: "0", "aria-label": "Log of this page" }],
  [".nc-run-log", { role: "region", tabindex: "0", "aria-label": "Log of the simulation" }],
  [".nc-class-table", { role: "region", tabindex: "0", "aria-label": "Runs of the class" }],
  [".nc-copyable pre", { role: "region", tabindex: "0" }],
  [".nc-lessons", { role: "region", tabindex: "-1", "aria-label": "Lessons" }],
  [".nc-lesson .widget-radio-box", { role: "radiogroup", "aria-label": "Your prediction" }],
  [".nc-lesson-strip", { role: "region", "aria-label": "Lesson" }],
  [".nc-about", { role: "region", tabindex: "0", "aria-label": "About" }],
  [".nc-progress", { role: "progressbar", "aria-label": "Progress of the simulation" }],
];

// Buttons that are off without being disabled; see SteadyButton in controls.py.
const STEADY = ".nc-predict, .nc-run";

// What receives the focus when the focused control disappears, by the surroundings of that control.
const SUCCESSORS = [
  [".nc-actions", ".nc-run"],
  [".nc-class", ".nc-clear"],
  [".nc-lesson-strip", ".nc-lessons"],
  [".nc-lessons", ".nc-lesson-strip .jupyter-button"],
];

// Buttons that stay pressed.
const TOGGLES =
  ".widget-toggle-button, .widget-play button:has(> .fa-retweet), " +
  ".jupyter-matplotlib-button:has(> :is(.fa-arrows, .fa-square-o))";

function recall() {
  try {
    return JSON.parse(localStorage.getItem(KEY)) ?? {};
  } catch {
    return {}; // storage is disabled, or contains something else
  }
}

function remember(memory) {
  try {
    localStorage.setItem(KEY, JSON.stringify(memory));
  } catch {
    // storage is disabled: a reloaded page starts with the defaults
  }
}

// 128 random bits; crypto.randomUUID is unavailable on pages that are not served over https.
function randomHex() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function open(model) {
  const memory = recall();
  // Earlier versions published `owner` with each run: it only identifies the runs of those versions.
  memory.key ??= randomHex();
  remember(memory);
  model.on("change:memory", () => remember({ ...recall(), ...model.get("memory") }));
  memory.dark ??= matchMedia("(prefers-color-scheme: dark)").matches;
  // A reloaded page keeps its tab, whatever the fragment of its address.
  delete memory.fragment;
  if (!isReloaded()) memory.fragment = location.hash;
  // The query of another application, such as JupyterLab, is not a link to this page.
  memory.search = document.body.dataset.voila ? location.search : "";
  model.send({ type: "opened", memory });
}

// Return true if this page was shown here before; a server that makes visitors wait reloads a page of
// its own at the same address.
function isReloaded() {
  const address = location.pathname + location.search;
  try {
    const before = sessionStorage.getItem(ADDRESS_KEY);
    sessionStorage.setItem(ADDRESS_KEY, address);
    if (before !== address) return false;
  } catch {
    // storage is disabled
  }
  return performance.getEntriesByType("navigation")[0]?.type === "reload";
}

// Report the fragment of the address when it changes, and show the fragment that the kernel sets.
function followAddress(model) {
  const report = () => {
    model.send({ type: "navigated", fragment: location.hash });
    // The link that was followed is replaced with the lesson: start reading at its top.
    const lessons = document.querySelector(".nc-lessons");
    lessons?.focus({ preventScroll: true });
    lessons?.scrollIntoView({ block: "start" });
  };
  const show = () => {
    const fragment = model.get("fragment");
    if (location.hash === fragment) return;
    // This does not trigger the event hashchange.
    history.replaceState(history.state, "", fragment || location.pathname + location.search);
  };
  window.addEventListener("hashchange", report);
  model.on("change:fragment", show);
  return () => {
    window.removeEventListener("hashchange", report);
    model.off("change:fragment", show);
  };
}

// Download a file that the kernel has sent.
function deliver({ name, kind }, buffers) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob(buffers, { type: kind }));
  link.download = name;
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}

// Reload the page if the server responds; otherwise show what to do.
async function reload(notice) {
  try {
    // Do not request the page itself, which would start a kernel.
    const file = `${voila().baseUrl ?? "/"}voila/static/voila.js`;
    await fetch(file, { cache: "no-store", signal: AbortSignal.timeout(ANSWER_MS) });
    location.reload();
  } catch {
    notice.textContent =
      "The server is not responding. Restart it (make app) or wait, then reload the page. " +
      "Your simulations are safe.";
  }
}

// Voila's configuration of this page: its kernel id and the base URL of the server.
function voila() {
  return JSON.parse(document.getElementById("jupyter-config-data")?.textContent ?? "{}");
}

// Report the size of the area below the tabs, which figures fill.
function measure(model, el) {
  const stage = el.closest(".nc-app")?.querySelector(".nc-stage");
  if (!stage) return () => {};
  let timer = null;
  const report = ({ width, height }) => {
    // When printing, the figure is scaled to the paper: there is no time to redraw it.
    if (width <= 0 || height <= 0 || matchMedia("print").matches) return;
    model.set("stage", [Math.floor(width), Math.floor(height)]);
    model.save_changes();
  };
  // Wait until the window has its final size.
  const observer = new ResizeObserver(([{ contentRect }]) => {
    clearTimeout(timer);
    timer = setTimeout(report, model.get("stage")[0] ? SETTLE_MS : 0, contentRect);
  });
  observer.observe(stage);
  return () => {
    clearTimeout(timer);
    observer.disconnect();
  };
}

// ipympl sends every key to matplotlib and prevents the browser's default action, so the focus cannot
// leave a figure, and shortcuts of the browser do not work in it. Keep Tab, Esc and the shortcuts from
// ipympl, in every figure of the page.
function freeKeyboard(el) {
  const app = el.closest(".nc-app");
  if (!app) return () => {};
  let held = null;
  const press = (event) => {
    const figure = event.target.closest(FIGURE);
    if (!figure) return;
    if (!isForBrowser(event)) {
      held = event.key;
      return;
    }
    event.stopPropagation();
    if (event.key === "Escape") leave(figure);
  };
  const release = (event) => {
    if (!event.target.closest(FIGURE)) return;
    if (isForBrowser(event)) event.stopPropagation();
    else held = null;
  };
  // The Shift of Shift+Tab is released outside the figure. matplotlib would treat it as still
  // pressed, and constrain panning with the mouse.
  const blur = (event) => {
    if (held === null || !event.target.matches(FIGURE)) return;
    event.target.dispatchEvent(new KeyboardEvent("keyup", { key: held }));
  };
  // Capture events before ipympl, whose listeners are on the figures themselves.
  const stop = new AbortController();
  const options = { capture: true, signal: stop.signal };
  app.addEventListener("keydown", press, options);
  app.addEventListener("keyup", release, options);
  app.addEventListener("focusout", blur, options);
  return () => stop.abort();
}

// Ctrl alone is a key of matplotlib: it keeps the aspect ratio while panning.
function isForBrowser({ key, ctrlKey, metaKey, altKey }) {
  if (LEAVING.includes(key) || /^F\d+$/.test(key)) return true;
  return metaKey || altKey || (ctrlKey && key !== "Control");
}

// Move the focus to the tab of the figure; if there are no tabs, only remove it from the figure.
function leave(figure) {
  figure.blur();
  figure.closest(".nc-tabs")?.querySelector("[role=tab][aria-selected=true]")?.focus();
}

// Pass the focus on when the focused control disappears: the browser would only drop it.
function keepFocus(el) {
  const app = el.closest(".nc-app");
  if (!app) return () => {};
  let last = null;
  const enter = (event) => {
    last = event.target;
  };
  // The user moved the focus away from a control that is still there and enabled.
  const leave = ({ relatedTarget, target }) => {
    if (!relatedTarget && !target.disabled && target.checkVisibility()) last = null;
  };
  const check = () => {
    const dropped = [document.body, last].includes(document.activeElement);
    if (!last || !dropped || last.checkVisibility()) return;
    const [, successor] = SUCCESSORS.find(([around]) => last.closest(around)) ?? [];
    const next = successor && app.querySelector(successor);
    if (next?.checkVisibility()) next.focus({ preventScroll: true });
  };
  const observer = new MutationObserver(check);
  observer.observe(app, { attributeFilter: ["class", "style"], childList: true, subtree: true });
  app.addEventListener("focusin", enter);
  app.addEventListener("focusout", leave);
  return () => {
    observer.disconnect();
    app.removeEventListener("focusin", enter);
    app.removeEventListener("focusout", leave);
  };
}

// Complete the accessible names, roles and states of the page's controls whenever it changes.
function describePage(el) {
  const app = el.closest(".nc-app");
  if (!app) return () => {};
  const describe = () => {
    for (const [selector, attributes] of ATTRIBUTES) {
      for (const each of app.querySelectorAll(selector)) setAll(each, attributes);
    }
    app.querySelectorAll("input[title], select[title]").forEach(nameByTitle);
    app.querySelectorAll(TOGGLES).forEach(describeToggle);
    app.querySelectorAll(STEADY).forEach(describeSteady);
    app.querySelectorAll(".nc-number input[type=text]").forEach(describeNumber);
    app.querySelectorAll(".widget-slider").forEach(describeSlider);
  };
  const observer = new MutationObserver(describe);
  const attributeFilter = ["aria-valuetext", "class", "title"];
  observer.observe(app, { attributeFilter, childList: true, characterData: true, subtree: true });
  describe();
  return () => observer.disconnect();
}

// A field without a label has only its tooltip, which screen readers may ignore.
function nameByTitle(field) {
  const labelled = [...field.labels].some((label) => label.textContent.trim());
  if (!labelled && !field.hasAttribute("aria-label")) set(field, "aria-label", field.title);
}

function describeToggle(button) {
  set(button, "aria-pressed", String(button.classList.contains("mod-active")));
}

function describeSteady(button) {
  set(button, "aria-disabled", button.classList.contains("nc-off") ? "true" : null);
}

// Link a number with its training range and, if it is refused, with the message below it.
function describeNumber(field) {
  const panel = field.closest(".nc-cluster-panel") ?? field.closest(".nc-number");
  // The message itself is replaced by the next one; what contains it stays.
  const message = panel.querySelector("[role=alert]")?.parentElement;
  const refused = message && field.closest(".nc-refused");
  if (refused) message.id ||= `${field.id}-message`;
  set(field, "aria-invalid", refused ? "true" : null);
  const fixed = panel.querySelector(".nc-fixed-note");
  if (fixed) fixed.id ||= `${field.id}-fixed`;
  set(field, "aria-readonly", fixed ? "true" : null);
  const notes = [refused && message.id, fixed?.id, trainingRange(field)].filter(Boolean);
  set(field, "aria-describedby", notes.join(" "));
}

// Slider handles have no accessible names, and report positions instead of values: set both. A
// slider with a text field takes the name of the field, and its value from the tooltip (see
// widgets/number.py). Other sliders have a label, with a name for each end of a range, and a readout.
function describeSlider(slider) {
  const number = slider.closest(".nc-number");
  const own = slider.querySelector(".widget-label");
  const names = (number?.querySelector(".widget-label") ?? own).textContent.split(", ");
  const value = number ? own.title : slider.querySelector(".widget-readout").textContent;
  slider.querySelectorAll("[role=slider]").forEach((handle, i) => {
    set(handle, "aria-label", names[i] ?? names[0]);
    set(handle, "aria-valuetext", value);
    set(handle, "aria-describedby", trainingRange(handle));
  });
}

// Id of the words for the shaded part of a slider; see widgets/number.py.
function trainingRange(control) {
  return control.closest(".nc-number")?.querySelector(".nc-training [id]")?.id;
}

function setAll(element, attributes) {
  for (const [name, value] of Object.entries(attributes)) set(element, name, value);
}

// Set an attribute, or remove it if there is no value; only if it differs, because a change may
// trigger describePage again.
function set(element, name, value) {
  if (!value) element.removeAttribute(name);
  else if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}

// A killed kernel sends no message, and an empty kernel replaces it: only missing replies reveal
// this.
function listen(model, el) {
  const app = el.closest(".nc-app");
  let asked = null;
  const tick = () => {
    const silent = asked !== null && performance.now() - asked > PATIENCE_MS;
    const cut = document.querySelector(".nc-app .jupyter-widgets-disconnected") !== null;
    app?.classList.toggle("nc-lost", cut || (silent && !document.hidden));
    asked ??= performance.now();
    try {
      model.send({ type: "pulse" });
    } catch {
      // The connection is down; the missing reply shows it.
    }
  };
  const heard = (message, buffers) => {
    if (message.type === "file") deliver(message, buffers);
    if (message.type !== "alive") return;
    asked = null;
    app?.classList.remove("nc-lost");
  };
  // Timers of a hidden page rarely run: restart the count when the page becomes visible.
  const visible = () => {
    asked = null;
    tick();
  };
  model.on("msg:custom", heard);
  document.addEventListener("visibilitychange", visible);
  const timer = setInterval(tick, PULSE_MS);
  tick();
  return () => {
    clearInterval(timer);
    document.removeEventListener("visibilitychange", visible);
    model.off("msg:custom", heard);
  };
}

// ipywidgets holds a change back while the kernel handles the previous change of the same widget, but
// sends a click at once: a busy kernel would start a run before it hears of the last digits that were
// typed. Send all that is held back before a message of another widget, and before a click.
function keepOrder({ widget_manager }) {
  const held = new Set();
  const flush = (sender) => {
    for (const model of held) {
      if (model === sender) continue;
      held.delete(model);
      if (model._msg_buffer === null || !model.comm_live) continue;
      const sent = model.send_sync_message(model._msg_buffer, model._msg_buffer_callbacks);
      model.rememberLastUpdateFor(sent);
      model._msg_buffer = model._msg_buffer_callbacks = null;
    }
  };
  let restore = () => {};
  const loaded = widget_manager.loadClass("WidgetModel", "@jupyter-widgets/base", "2.0.0");
  loaded.then(({ prototype }) => {
    const { send, sync } = prototype;
    prototype.send = function (...message) {
      flush();
      return send.apply(this, message);
    };
    prototype.sync = function (...change) {
      flush(this);
      const result = sync.apply(this, change);
      if (this._msg_buffer !== null) held.add(this);
      return result;
    };
    restore = () => Object.assign(prototype, { send, sync });
  });
  return () => restore();
}

// Before a page unloads, Voila's script asks the server to shut the kernel down. To prevent
// cross-site request forgery, the server refuses a request that does not repeat a token from a
// cookie. Set the cookie, and send the request for pages that close without this event, as on
// phones.
function endKernelWithPage() {
  const { kernelId, baseUrl } = voila();
  if (!kernelId || !document.body.dataset.voila) return () => {};
  const token = () => document.cookie.match(/(?:^|; )_xsrf=([^;]+)/)?.[1];
  if (!token()) document.cookie = `_xsrf=${randomHex()}; path=${baseUrl}; SameSite=Strict`;
  let asked = false;
  const unload = () => {
    asked = true;
  };
  const hide = () => {
    if (asked) return;
    const form = new FormData();
    form.set("_xsrf", token() ?? "");
    navigator.sendBeacon(`${baseUrl}voila/api/shutdown/${kernelId}`, form);
  };
  window.addEventListener("beforeunload", unload);
  window.addEventListener("pagehide", hide);
  return () => {
    window.removeEventListener("beforeunload", unload);
    window.removeEventListener("pagehide", hide);
  };
}

export default {
  render({ model, el }) {
    // The rest of the page may be attached slightly later.
    const stops = [];
    const frame = requestAnimationFrame(() => {
      stops.push(measure(model, el), freeKeyboard(el), describePage(el), keepFocus(el));
      stops.push(listen(model, el), endKernelWithPage(), followAddress(model), keepOrder(model));
      const notice = el.querySelector("span");
      el.querySelector("button")?.addEventListener("click", () => reload(notice));
      open(model);
    });
    el.className = "nc-lost-notice";
    el.setAttribute("role", "alert");
    el.innerHTML =
      "<span>This page has lost its connection. Your simulations are safe.</span>" +
      "<button type='button'>Reload the page</button>";
    return () => {
      cancelAnimationFrame(frame);
      for (const stop of stops) stop();
    };
  },
};
