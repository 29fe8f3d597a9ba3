// The page: inputs on the left, what follows from them on the right.

const model = JSON.parse(document.getElementById("model").textContent);
model.steps = decodeSteps(model.steps);

const IONS = { positive: "positive ions", negative: "negative ions" };
const TABS = {
  "Positive Ion Density": { species: ["positive"], label: "Positive ion density (M)" },
  "Negative Ion Density": { species: ["negative"], label: "Negative ion density (M)" },
  "Prediction Graph": { species: SPECIES, label: "Ion density (M)" },
  Downloads: {},
  About: {},
};
const HINT = "Point at the figure, or focus it and press the arrow keys, to read values.";
const WITHOUT = "This page does not simulate: see About.";

const byId = (id) => document.getElementById(id);
const state = {
  texts: Object.fromEntries(model.fields.map((field) => [field.key, fieldText(field.default, field)])),
  tab: "Prediction Graph",
  withTheory: true,
  system: null,
  prediction: null,
  theory: null,
  problem: "",
};

// --- computing -----------------------------------------------------------------------------------

// Compute the profiles of the current inputs.
function compute() {
  const { system, problems } = readInputs(state.texts, model);
  const titles = model.fields.filter(({ key }) => problems[key]).map(({ title }) => title);
  const nouns = titles.map((title) => title[0].toLowerCase() + title.slice(1));
  state.system = system;
  const correct = `Correct the ${nouns.join(" and the ")} to predict.`;
  state.problem = system ? outsideDomain(system, model) : correct;
  state.prediction = system && !state.problem ? predict(system, model) : null;
  state.theory = system && state.withTheory ? poissonBoltzmann(system, model.constants) : null;
  return problems;
}

// Return the curves of some species.
function curvesOf(species) {
  const both = species.length > 1;
  const ofModel = species.map((each) => {
    const { density, error } = state.prediction?.[each] ?? {};
    const label = both ? `ML, ${IONS[each]}` : "ML prediction";
    const half = error?.map((size) => model.constants.halfWidth * size);
    return { label, kind: `ml ${each}`, y: density, half, legend: `${label}, 90 % band` };
  });
  const ofTheory = species.map((each) => {
    const label = both ? `PB, ${IONS[each]}` : "Poisson-Boltzmann";
    return { label, kind: `pb ${each}`, y: state.theory?.[each], half: null, legend: label };
  });
  return [...ofModel, ...ofTheory].filter(({ y }) => y);
}

// Return the contact, peak and midplane densities (M) of a profile.
function densities(density) {
  const half = density.length / 2;
  const midplane = (density[half - 1] + density[half]) / 2;
  return [contactDensity(state.system, model.constants, density), largest(density), midplane];
}

// --- showing -------------------------------------------------------------------------------------

const chart = new Chart(byId("chart"), model.constants, showReading);
const numberFields = model.fields.map((field) => new NumberField(field, change));

function change(key, text) {
  state.texts[key] = text;
  byId("presets").value = "";
  schedule();
}

let scheduled = false;

// Update the page once before it is painted next, however often the inputs change.
function schedule() {
  if (scheduled) return;
  scheduled = true;
  requestAnimationFrame(() => {
    scheduled = false;
    update();
  });
}

function update() {
  const problems = compute();
  for (const each of numberFields) {
    const { key } = each.field;
    const { value } = parsed(each.field, state.texts[key], model.constants);
    each.show(state.texts[key], value, problems[key] ?? "");
  }
  showStatus();
  showText("chip", state.system ? describe(state.system) : "");
  for (const button of document.querySelectorAll("#files button")) button.disabled = !state.prediction;
  byId("densities").replaceChildren(...curvesOf(SPECIES).map(densityRow));
  showFigure();
}

function showStatus() {
  const ready = `Predicted by ${model.name}. The band contains 90 % of the true values.`;
  const outside = state.system ? `${state.problem} ${WITHOUT}` : state.problem;
  showText("status", state.problem ? outside : ready);
  byId("dot").className = state.problem ? "dot bad" : "dot good";
}

function showText(id, text) {
  if (byId(id).textContent !== text) byId(id).textContent = text;
}

function densityRow({ label, y }) {
  const cells = densities(y).map((each) => html("td", {}, threeDigits(each)));
  return html("tr", {}, html("th", { scope: "row" }, label), ...cells);
}

function showFigure() {
  const { species, label } = TABS[state.tab];
  if (!species) return;
  const curves = curvesOf(species);
  const system = state.system ?? { h: chart.width };
  chart.draw({ curves, z: binCentres(system, model.constants), width: system.h, label });
  byId("legend").replaceChildren(...curves.map(legendEntry));
  showText("hint", curves.length ? "" : state.problem);
  const words = curves.map(({ label: name, y }) => {
    const [contact, peak, midplane] = densities(y).map((each) => `${threeDigits(each)} M`);
    return `${name}: contact ${contact}, peak ${peak}, midplane ${midplane}`;
  });
  showText("description", [`${label} across the slit`, ...words].join(". "));
}

function legendEntry({ kind, legend, half }) {
  const sample = svg("svg", { viewBox: "0 0 36 12", width: 36, height: 12, "aria-hidden": "true" });
  const band = svg("rect", { class: `band ${kind}`, x: 0, y: 1, width: 36, height: 10 });
  if (half) sample.append(band);
  sample.append(svg("path", { class: `line ${kind}`, d: "M0 6H36" }));
  return html("li", {}, sample, legend);
}

function showReading(bin) {
  const { z, curves } = chart;
  const where = bin === null ? "" : `z = ${withMinus(z[bin].toFixed(3))} nm`;
  const values = bin === null ? [] : curves.map((each) => `${each.label} ${valueAt(each, bin)}`);
  const text = bin === null ? HINT : [where, ...values].join(" · ");
  showText("reading", text);
  const host = byId("chart");
  host.setAttribute("aria-valuetext", text);
  host.setAttribute("aria-valuemax", Math.max(0, z.length - 1));
  host.setAttribute("aria-valuenow", bin ?? Math.floor(z.length / 2));
}

// Return a value of a curve, with the half width of its band.
function valueAt({ y, half }, bin) {
  return formatted(y[bin], 4) + (half ? ` ± ${formatted(half[bin], 2)}` : "");
}

function showTab(title) {
  state.tab = title;
  for (const tab of document.querySelectorAll("[role=tab]")) {
    const selected = tab.textContent === title;
    tab.setAttribute("aria-selected", selected);
    tab.tabIndex = selected ? 0 : -1;
    if (selected) tab.scrollIntoView({ block: "nearest", inline: "nearest" });
  }
  byId("figure").hidden = !TABS[title].species;
  byId("figure").setAttribute("aria-label", title);
  byId("downloads").hidden = title !== "Downloads";
  byId("about").hidden = title !== "About";
  update();
}

// --- files and links -----------------------------------------------------------------------------

function csv({ density, error }) {
  const z = binCentres(state.system, model.constants);
  const rows = Array.from(z, (each, i) => [each, density[i], error[i]].map((x) => general(x, 8)).join(","));
  return [model.header, ...rows, ""].join("\n");
}

function download(species) {
  const file = new Blob([csv(state.prediction[species])], { type: "text/csv" });
  const address = URL.createObjectURL(file);
  html("a", { href: address, download: model.files[species] }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10000);
}

// Set the inputs from the fragment of the address, such as #h=3.4&zp=2.
function readAddress() {
  for (const [key, text] of new URLSearchParams(location.hash.slice(1))) {
    if (key in state.texts) state.texts[key] = text; // the field reports text that is not valid
  }
  schedule();
}

function writeAddress() {
  const texts = Object.entries(state.texts).map(([key, text]) => [key, text.replaceAll("−", "-")]);
  history.replaceState(null, "", `#${new URLSearchParams(texts)}`);
}

// --- start ---------------------------------------------------------------------------------------

function choosePreset() {
  const inputs = model.presets[byId("presets").value]?.inputs;
  if (!inputs) return;
  for (const field of model.fields) state.texts[field.key] = fieldText(inputs[field.key], field);
  writeAddress();
  schedule();
}

function moveTab(event) {
  const titles = Object.keys(TABS);
  const from = titles.indexOf(state.tab);
  const places = { ArrowRight: from + 1, ArrowLeft: from - 1, Home: 0, End: titles.length - 1 };
  if (!(event.key in places)) return;
  event.preventDefault();
  showTab(titles.at(places[event.key] % titles.length));
  document.querySelector("[role=tab][aria-selected=true]").focus();
}

function makeTab(title) {
  const controls = TABS[title].species ? "figure" : title.toLowerCase();
  const tab = html("button", { type: "button", onclick: () => showTab(title) }, title);
  tab.setAttribute("role", "tab");
  tab.setAttribute("aria-controls", controls);
  return tab;
}

function makeDownload(species) {
  return html("button", { type: "button", onclick: () => download(species) }, model.files[species]);
}

function start() {
  byId("fields").append(...numberFields.map((each) => each.element));
  byId("fields").addEventListener("change", writeAddress);
  byId("presets").append(...model.presets.map(({ name }, i) => html("option", { value: i }, name)));
  byId("presets").addEventListener("change", choosePreset);
  byId("tabs").append(...Object.keys(TABS).map(makeTab));
  byId("tabs").addEventListener("keydown", moveTab);
  byId("files").append(...SPECIES.map(makeDownload));
  byId("theory").addEventListener("click", () => {
    state.withTheory = !state.withTheory;
    byId("theory").setAttribute("aria-pressed", state.withTheory);
    schedule();
  });
  addEventListener("hashchange", readAddress);
  readAddress();
  showTab(state.tab);
}

start();
