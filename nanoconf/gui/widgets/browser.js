// What only a browser can do: remember what the user typed, measure the room for figures, let the
// keyboard out of figures, hand over files, say what sliders are, notice that the kernel is gone, and
// end it with the page. See browser.py.

const KEY = "nanoconf";
const PULSE_MS = 2000;
const PATIENCE_MS = 5000;
const ANSWER_MS = 4000;
const SETTLE_MS = 120;
const FIGURE = ".jupyter-matplotlib-canvas-div";
const LEAVING = ["Tab", "Escape"];

function recall() {
  try {
    return JSON.parse(localStorage.getItem(KEY)) ?? {};
  } catch {
    return {}; // storage is off, or holds something else
  }
}

function remember(memory) {
  try {
    localStorage.setItem(KEY, JSON.stringify(memory));
  } catch {
    // storage is off: a page loaded again starts afresh
  }
}

// 128 random bits; crypto.randomUUID is missing on pages that are not served over https.
function randomHex() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function open(model) {
  const memory = recall();
  memory.owner ??= randomHex();
  remember(memory);
  model.on("change:memory", () => remember({ ...recall(), ...model.get("memory") }));
  memory.dark ??= matchMedia("(prefers-color-scheme: dark)").matches;
  model.send({ type: "opened", memory });
}

// A file that the kernel has made, as if a link to it had been clicked.
function deliver({ name, kind }, buffers) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob(buffers, { type: kind }));
  link.download = name;
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}

// Load the page again if there is a server to load it from; else say what to do.
async function reload(words) {
  try {
    // Not the page itself, which would start a kernel for nobody.
    const file = `${voila().baseUrl ?? "/"}voila/static/voila.js`;
    await fetch(file, { cache: "no-store", signal: AbortSignal.timeout(ANSWER_MS) });
    location.reload();
  } catch {
    words.textContent =
      "The server does not answer. Start it again (make app), or wait; then reload the page. " +
      "Simulations go on without it.";
  }
}

// What Voila says of this page: its kernel, and where the server's addresses begin.
function voila() {
  return JSON.parse(document.getElementById("jupyter-config-data")?.textContent ?? "{}");
}

// The size of what is below the tabs, for figures that fill it.
function measure(model, el) {
  const stage = el.closest(".nc-app")?.querySelector(".nc-tabs > .widget-tab-contents");
  if (!stage) return () => {};
  let timer = null;
  const tell = ({ width, height }) => {
    // On paper the figure takes the paper's width as it is: there is no time to draw it anew.
    if (width <= 0 || height <= 0 || matchMedia("print").matches) return;
    model.set("stage", [Math.floor(width), Math.floor(height)]);
    model.save_changes();
  };
  // Not for every step of a window being dragged.
  const observer = new ResizeObserver(([{ contentRect }]) => {
    clearTimeout(timer);
    timer = setTimeout(tell, model.get("stage")[0] ? SETTLE_MS : 0, contentRect);
  });
  observer.observe(stage);
  return () => {
    clearTimeout(timer);
    observer.disconnect();
  };
}

// ipympl sends every key to matplotlib and prevents what the browser does with it, so no key leads out
// of a figure. matplotlib uses neither Tab nor Esc: keep both from ipympl, in every figure of the page.
function freeKeyboard(el) {
  const app = el.closest(".nc-app");
  if (!app) return () => {};
  let held = null;
  const press = (event) => {
    const figure = event.target.closest(FIGURE);
    if (!figure) return;
    if (!LEAVING.includes(event.key)) {
      held = event.key;
      return;
    }
    event.stopPropagation();
    if (event.key === "Escape") leave(figure);
  };
  const release = (event) => {
    if (!event.target.closest(FIGURE)) return;
    if (LEAVING.includes(event.key)) event.stopPropagation();
    else held = null;
  };
  // The Shift of Shift+Tab is released elsewhere. matplotlib would take it as still pressed, and
  // constrain how the mouse pans.
  const blur = (event) => {
    if (held === null || !event.target.matches(FIGURE)) return;
    event.target.dispatchEvent(new KeyboardEvent("keyup", { key: held }));
  };
  // Capture: before ipympl, whose listeners are on the figures themselves.
  const stop = new AbortController();
  const options = { capture: true, signal: stop.signal };
  app.addEventListener("keydown", press, options);
  app.addEventListener("keyup", release, options);
  app.addEventListener("focusout", blur, options);
  return () => stop.abort();
}

// Move the focus to the tab that shows the figure, or out of the figure where there are no tabs.
function leave(figure) {
  figure.blur();
  figure.closest(".nc-tabs")?.querySelector("[role=tab][aria-selected=true]")?.focus();
}

// The handles of sliders have no names, and say a position, for a number: give them both in words.
function describeSliders(el) {
  const app = el.closest(".nc-app");
  if (!app) return () => {};
  const describe = () => app.querySelectorAll(".widget-slider").forEach(describeSlider);
  const observer = new MutationObserver(describe);
  const attributeFilter = ["aria-valuetext", "title"];
  observer.observe(app, { attributeFilter, childList: true, characterData: true, subtree: true });
  describe();
  return () => observer.disconnect();
}

// A slider that is beside a field is named as that is, and its tooltip says what the field says (see
// panels/inputs.py); another has a label, with a name for each end of a range, and a readout.
function describeSlider(slider) {
  const number = slider.closest(".nc-number");
  const own = slider.querySelector(".widget-label");
  const names = (number?.querySelector(".widget-label") ?? own).textContent.split(", ");
  const value = number ? own.title : slider.querySelector(".widget-readout").textContent;
  slider.querySelectorAll("[role=slider]").forEach((handle, i) => {
    set(handle, "aria-label", names[i] ?? names[0]);
    set(handle, "aria-valuetext", value);
  });
}

// Only what changes: a change is followed by another look at all of them.
function set(element, name, value) {
  if (value && element.getAttribute(name) !== value) element.setAttribute(name, value);
}

// A killed kernel says nothing, and is replaced by an empty one: only a lack of answers tells.
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
      // The connection is down; the silence shows it.
    }
  };
  const heard = (message, buffers) => {
    if (message.type === "file") deliver(message, buffers);
    if (message.type !== "alive") return;
    asked = null;
    app?.classList.remove("nc-lost");
  };
  // Timers of a hidden page hardly run: begin to count afresh when it is seen again.
  const seen = () => {
    asked = null;
    tick();
  };
  model.on("msg:custom", heard);
  document.addEventListener("visibilitychange", seen);
  const timer = setInterval(tick, PULSE_MS);
  tick();
  return () => {
    clearInterval(timer);
    document.removeEventListener("visibilitychange", seen);
    model.off("msg:custom", heard);
  };
}

// Before a page unloads, Voila's script asks its server to end the kernel, and is refused: it has no
// token against cross-site requests, which is a cookie repeated in the request. So bring the cookie,
// and ask for pages that vanish without that event, as those of telephones do.
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
    // The rest of the page may be attached a moment later.
    const stops = [];
    const frame = requestAnimationFrame(() => {
      stops.push(measure(model, el), freeKeyboard(el), describeSliders(el));
      stops.push(listen(model, el), endKernelWithPage());
      const words = el.querySelector("span");
      el.querySelector("button")?.addEventListener("click", () => reload(words));
      open(model);
    });
    el.className = "nc-lost-notice";
    el.setAttribute("role", "alert");
    el.innerHTML =
      "<span>This page has lost its connection. Simulations go on without it.</span>" +
      "<button type='button'>Reload the page</button>";
    return () => {
      cancelAnimationFrame(frame);
      for (const stop of stops) stop();
    };
  },
};
