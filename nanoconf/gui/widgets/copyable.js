// A text with a button that copies it. See copyable.py.

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

export default {
  render({ model, el }) {
    el.classList.add("nc-copyable");
    const text = document.createElement("pre");
    text.setAttribute("aria-label", model.get("label"));
    const button = document.createElement("button");
    button.type = "button";
    const said = document.createElement("span");
    said.setAttribute("aria-live", "polite");
    el.append(button, said, text);
    let timer = null;
    const show = () => {
      text.textContent = model.get("text");
      button.textContent = "Copy";
      said.textContent = "";
      el.hidden = !model.get("text");
    };
    const press = async () => {
      clearTimeout(timer);
      try {
        await copy(model.get("text"));
        said.textContent = "Copied.";
      } catch {
        said.textContent = "Select the text and copy it with the keyboard.";
      }
      button.focus();
      timer = setTimeout(() => {
        said.textContent = "";
      }, SHOWN_MS);
    };
    button.addEventListener("click", press);
    model.on("change:text", show);
    show();
    return () => {
      clearTimeout(timer);
      model.off("change:text", show);
    };
  },
};
