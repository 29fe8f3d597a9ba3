// Browser side of a row of buttons of which one is selected: a tab bar or a group of radio buttons.
// See choice.py.

const KINDS = {
  tabs: { row: "tablist", item: "tab", chosen: "aria-selected" },
  radios: { row: "radiogroup", item: "radio", chosen: "aria-checked" },
};

function makeButton(title, role) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = title;
  button.setAttribute("role", role);
  return button;
}

// Fill the row with a button for each title, in groups, and return the buttons.
function fill(el, groups, role) {
  const rows = groups.map((titles) => {
    const group = document.createElement("div");
    group.className = "nc-choice-group";
    group.setAttribute("role", "presentation");
    group.append(...titles.map((title) => makeButton(title, role)));
    return group;
  });
  el.replaceChildren(...rows);
  return [...el.querySelectorAll("button")];
}

// Position of the button that a key moves the focus to; undefined for other keys.
function destination(key, at, count) {
  const next = (at + 1) % count;
  const previous = (at + count - 1) % count;
  const keys = { ArrowRight: next, ArrowDown: next, ArrowLeft: previous, ArrowUp: previous };
  return { ...keys, Home: 0, End: count - 1 }[key];
}

// Only one button is a stop of the Tab key.
function setStop(buttons, stop) {
  for (const button of buttons) button.tabIndex = button === stop ? 0 : -1;
}

function addKeys(el, buttons, chosen, selects, signal) {
  const listen = (event, handle) => el.addEventListener(event, handle, { signal });
  listen("keydown", (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const to = buttons[destination(event.key, buttons.indexOf(event.target), buttons.length)];
    if (!to) return;
    event.preventDefault();
    to.focus();
    if (selects) to.click();
  });
  listen("focusin", (event) => setStop(buttons, event.target));
  listen("focusout", (event) => {
    if (!el.contains(event.relatedTarget)) setStop(buttons, chosen());
  });
}

// Name the panels of a tab bar, and show the panel of the selected tab. Panels are added later, when
// their tabs are first selected.
function watchPlaces(el, buttons, chosen) {
  const tabs = el.closest(".nc-tabs");
  const prefix = `nc-${crypto.getRandomValues(new Uint32Array(2)).join("-")}`;
  buttons.forEach((button, i) => {
    button.id = `${prefix}-tab-${i}`;
    button.setAttribute("aria-controls", `${prefix}-panel-${i}`);
  });
  const show = () => {
    buttons.forEach((button, i) => {
      const place = tabs?.querySelector(`.nc-place-${i}`);
      if (!place) return;
      place.id = `${prefix}-panel-${i}`;
      place.setAttribute("role", "tabpanel");
      place.setAttribute("aria-labelledby", button.id);
      place.classList.toggle("nc-hidden", button !== chosen());
    });
  };
  const observer = new MutationObserver(show);
  if (tabs) observer.observe(tabs, { childList: true, subtree: true });
  return [show, () => observer.disconnect()];
}

function build(model, el) {
  const kind = KINDS[model.get("kind")];
  el.setAttribute("role", kind.row);
  el.setAttribute("aria-label", model.get("label"));
  const buttons = fill(el, model.get("groups"), kind.item);
  const chosen = () => buttons.find((button) => button.textContent === model.get("value"));
  const isTabs = kind === KINDS.tabs;
  const [showPlace, stop] = isTabs ? watchPlaces(el, buttons, chosen) : [() => {}, () => {}];
  const show = () => {
    for (const button of buttons) button.setAttribute(kind.chosen, String(button === chosen()));
    if (!el.contains(document.activeElement)) setStop(buttons, chosen());
    chosen()?.scrollIntoView({ block: "nearest", inline: "nearest" });
    showPlace();
  };
  const choose = (title) => {
    model.set("value", title);
    model.save_changes();
  };
  for (const button of buttons) {
    button.addEventListener("click", () => choose(button.textContent));
  }
  const ending = new AbortController();
  addKeys(el, buttons, chosen, !isTabs, ending.signal);
  model.on("change:value", show);
  show();
  return () => {
    model.off("change:value", show);
    ending.abort();
    stop();
  };
}

export default {
  render({ model, el }) {
    // The rest of the page may be attached slightly later.
    let stop = () => {};
    const start = () => {
      stop();
      stop = build(model, el);
    };
    const frame = requestAnimationFrame(start);
    model.on("change:groups", start);
    return () => {
      cancelAnimationFrame(frame);
      model.off("change:groups", start);
      stop();
    };
  },
};
