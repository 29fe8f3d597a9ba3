// Inputs: a text field and a slider for each, and the validation of typed text. The words are those of
// nanoconf/gui/fields.py and backend/system.py.

const NUMBER = /^[+-]?([0-9]+[.,]?[0-9]*|[.,][0-9]+)([eE][+-]?[0-9]+)?$/;

// Return the value of a typed text, or the problem with it: { value } or { problem }.
function parsed(field, typed, { longestEcho }) {
  const text = typed.trim();
  if (!text) return { problem: `${field.title} is empty: it ${field.allowed}` };
  const echo = text.length > longestEcho ? `${text.slice(0, longestEcho - 1)}…` : text;
  const number = text.replaceAll("−", "-");
  if (!NUMBER.test(number)) return { problem: `${field.title} = “${echo}”: ${field.allowed}` };
  const value = Number(number.replace(",", "."));
  const inside = value >= field.low && value <= field.high;
  if (inside && !(field.whole && value % 1)) return { value };
  return { problem: `${field.title} = ${echo}: ${field.allowed}` };
}

// Return the fraction of the slit that the ions fill.
function packing(system, { molar }) {
  return (Math.PI / 6) * sum(meanDensities(system)) * molar * system.d ** 3;
}

// Return what is wrong with a combination of values that are valid one by one: { key, allowed }.
function combinationProblem(system, constants) {
  const least = 1.2 * system.d;
  const size = general(system.d, 6);
  if (system.h < least) {
    const reason = `so that ions of ${size} nm fit between the walls`;
    return { key: "h", allowed: `must be at least ${general(least, 4)} nm (1.2 diameters), ${reason}` };
  }
  const [filled, limit] = [packing(system, constants), constants.maximumPacking];
  if (filled <= limit) return null;
  const percent = (share) => `${(100 * share).toFixed(0)}%`;
  const reachable = `${general((system.c * limit) / filled, 3)} M here`;
  const fill = `ions of ${size} nm would fill ${percent(filled)} of the slit`;
  return { key: "c", allowed: `${fill}; the limit is ${percent(limit)} (${reachable})` };
}

// Read all inputs: { system, problems }; the system is null if there are problems.
function readInputs(texts, { fields, constants }) {
  const found = fields.map((field) => [field, parsed(field, texts[field.key], constants)]);
  const wrong = found.filter(([, { problem }]) => problem);
  if (wrong.length) {
    return { system: null, problems: Object.fromEntries(wrong.map(([f, p]) => [f.key, p.problem])) };
  }
  const system = Object.fromEntries(found.map(([field, { value }]) => [field.key, value]));
  const clash = combinationProblem(system, constants);
  if (!clash) return { system, problems: {} };
  const field = fields.find(({ key }) => key === clash.key);
  const text = fieldText(system[clash.key], field);
  return { system: null, problems: { [clash.key]: `${field.title} = ${text}: ${clash.allowed}` } };
}

// Create an HTML element with properties and children.
function html(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

// The text field and the slider of one input. `changed` receives each new text.
class NumberField {
  constructor(field, changed) {
    this.field = field;
    const { key, label, positions } = field;
    this.input = html("input", { type: "text", id: key, inputMode: "decimal", autocomplete: "off" });
    this.slider = html("input", { type: "range", min: 0, max: positions.length - 1, step: 1 });
    this.problem = html("p", { id: `${key}-problem`, className: "problem" });
    this.problem.setAttribute("role", "alert");
    this.slider.setAttribute("aria-label", `${field.title}, slider`);
    this.slider.setAttribute("aria-describedby", `${key}-trained`);
    this.input.addEventListener("input", () => changed(key, this.input.value));
    this.slider.addEventListener("input", () => {
      changed(key, fieldText(positions[this.slider.value], field));
    });
    const top = html("div", { className: "row" }, html("label", { htmlFor: key }, label), this.input);
    this.element = html("div", { className: "number" }, top, this.track(), this.problem);
  }

  // The slider between the ends of its range, with the training range shaded.
  track() {
    const { key, ends, trained, trainedText, positions } = this.field;
    const shading = html("i", { title: trainedText });
    const percent = (position) => (100 * position) / (positions.length - 1);
    shading.style.left = `${percent(trained[0])}%`;
    shading.style.width = `${percent(trained[1] - trained[0])}%`;
    const words = html("span", { id: `${key}-trained`, hidden: true }, trainedText);
    const lane = html("div", { className: "lane" }, html("div", { className: "shading" }, shading));
    lane.append(this.slider, words);
    const [low, high] = ends.map((text) => html("span", { className: "end" }, text));
    return html("div", { className: "track" }, low, lane, high);
  }

  show(text, value, problem) {
    const { positions, unit } = this.field;
    if (this.input.value !== text) this.input.value = text;
    this.problem.textContent = problem;
    this.input.setAttribute("aria-describedby", problem ? this.problem.id : `${this.field.key}-trained`);
    problem ? this.input.setAttribute("aria-invalid", "true") : this.input.removeAttribute("aria-invalid");
    if (value === undefined) return;
    const distances = positions.map((each) => Math.abs(each - value));
    this.slider.value = distances.indexOf(Math.min(...distances));
    this.slider.setAttribute("aria-valuetext", `${text} ${unit}`.trim());
  }
}
