// The status line. Its elements stay the same, so that screen readers follow them: the visible line
// changes often and is silent; a hidden line, which changes with each phase, is read aloud.

function part(el, className) {
  const child = document.createElement("span");
  child.className = className;
  el.append(child);
  return child;
}

export default {
  render({ model, el }) {
    el.classList.add("nc-status-line");
    const dot = part(el, "nc-dot");
    const line = part(el, "nc-status-text");
    line.setAttribute("role", "status");
    line.setAttribute("aria-live", "off");
    const spoken = part(el, "nc-spoken");
    spoken.setAttribute("aria-live", "polite");
    spoken.setAttribute("aria-atomic", "true");
    const show = () => {
      dot.className = `nc-dot nc-${model.get("mood")}`;
      line.textContent = model.get("text");
    };
    const speak = () => {
      spoken.textContent = model.get("spoken");
    };
    model.on("change:text change:mood", show);
    model.on("change:spoken", speak);
    show();
    speak();
    return () => {
      model.off("change:text change:mood", show);
      model.off("change:spoken", speak);
    };
  },
};
