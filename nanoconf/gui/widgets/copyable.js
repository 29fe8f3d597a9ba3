// A text with a button that copies it, and a button that copies a link. See copyable.py.

const SHOWN_MS = 2000;

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    copyBySelection(text); // the page is not served over https, or the browser asks and is refused
  }
}

function copyBySelection(text) {
  const area = document.createElement("textarea");
  area.value = text;
  area.style.position = "fixed";
  area.style.opacity = "0";
  document.body.append(area);
  area.select();
  const copied = document.execCommand("copy");
  area.remove();
  if (!copied) throw new Error("the browser does not copy");
}

function make(tag, parent, text = "") {
  const element = document.createElement(tag);
  if (tag === "button") element.type = "button";
  element.textContent = text;
  parent.append(element);
  return element;
}

// A button with a hidden line for screen readers; `said` are the words after success and failure.
class CopyButton {
  constructor(el, text, said) {
    this.button = make("button", el);
    this.said = make("span", el);
    this.said.setAttribute("aria-live", "polite");
    this.timer = null;
    this.button.addEventListener("click", () => this.press(text, said));
  }

  async press(text, { success, failure }) {
    clearTimeout(this.timer);
    let said = success;
    try {
      await copy(text());
    } catch {
      said = null;
    }
    this.button.focus(); // copying may have taken the focus
    this.said.textContent = said ?? failure(text()) ?? "";
    this.timer = setTimeout(() => this.rest(), SHOWN_MS);
  }

  rest() {
    clearTimeout(this.timer);
    this.said.textContent = "";
  }
}

function renderText(model, el) {
  el.classList.add("nc-copyable");
  const failure = () => "Select the text and copy it with the keyboard.";
  const copying = new CopyButton(el, () => model.get("text"), { success: "Copied.", failure });
  const text = make("pre", el);
  text.setAttribute("aria-label", model.get("label"));
  copying.button.textContent = "Copy";
  return () => {
    copying.rest();
    text.textContent = model.get("text");
    el.hidden = !model.get("text");
  };
}

// Show a link for the user to copy; the browser does not let the page do it.
function offer(link) {
  const dialog = make("dialog", document.querySelector(".nc-app") ?? document.body);
  dialog.className = "nc-link-dialog";
  const label = make("label", dialog, "Copy this link with the keyboard:");
  const field = make("input", label);
  field.readOnly = true;
  field.value = link;
  make("button", dialog, "Close").addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => dialog.remove());
  dialog.showModal();
  field.select();
}

function renderLink(model, el) {
  el.classList.add("nc-copy-link");
  const link = () => location.origin + location.pathname + model.get("text");
  const copying = new CopyButton(el, link, { success: "Link copied.", failure: offer });
  copying.button.textContent = "Copy link";
  copying.button.title = model.get("label");
  return () => {
    copying.button.disabled = !model.get("text");
    el.hidden = model.get("hides") && !model.get("text");
  };
}

export default {
  render({ model, el }) {
    const show = (model.get("link") ? renderLink : renderText)(model, el);
    model.on("change:text", show);
    show();
    return () => model.off("change:text", show);
  },
};
