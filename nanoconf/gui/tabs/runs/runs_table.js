// Table of runs: sort by column, show rows in batches, select rows. See runs_table.py.
// Rows keep their elements between updates, so that a checkbox keeps its focus.

const STEP = 100;
const COLUMNS = [
  { title: "Name", key: "title" },
  { title: "Inputs", key: "system" },
  { title: "Length", key: "ns", text: "length" },
  { title: "Error", key: "relative", text: "error" },
  { title: "State", key: "state" },
  { title: "Owner", key: "owner" },
  { title: "Created (UTC)", key: "created" },
];

function make(tag, parent, attributes = {}) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  parent?.append(element);
  return element;
}

function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

// Compare two rows; a run without a value comes last in either direction.
function compare(a, b, key, direction) {
  const [x, y] = [a[key], b[key]];
  if (x === y) return 0;
  if (x === null) return 1;
  if (y === null) return -1;
  const order = typeof x === "number" ? x - y : x.localeCompare(y, undefined, { numeric: true });
  return direction * order;
}

class Table {
  constructor(model, el) {
    this.model = model;
    this.sorted = { key: "created", direction: -1 };
    this.limit = STEP;
    this.rows = new Map(); // table rows by run id
    this.stop = null; // id of the row whose checkbox Tab reaches; the arrow keys reach the others
    this.anchor = null; // start of a range that is selected with Shift
    el.classList.add("nc-runs-table");
    const label = "Table of runs";
    this.frame = make("div", el, { class: "nc-scroll", tabindex: 0, role: "region", "aria-label": label });
    const table = make("table", this.frame, { "aria-label": "Runs" });
    this.makeHead(make("tr", make("thead", table)));
    this.body = make("tbody", table);
    const foot = make("div", el, { class: "nc-foot" });
    this.count = make("span", foot, { "aria-live": "polite" });
    this.more = make("button", foot, { type: "button" });
    this.more.addEventListener("click", () => this.showMore());
  }

  makeHead(row) {
    this.all = make("input", make("th", row), { type: "checkbox", "aria-label": "Select all runs shown" });
    this.all.addEventListener("change", () => {
      this.choose(this.all.checked ? this.shown.map((run) => run.id) : []);
    });
    this.heads = COLUMNS.map((column) => {
      const head = make("th", row, { scope: "col" });
      const button = make("button", head, { type: "button" });
      button.textContent = column.title;
      button.addEventListener("click", () => this.sortBy(column.key));
      return head;
    });
  }

  // --- actions -------------------------------------------------------------------------------

  sortBy(key) {
    const same = this.sorted.key === key;
    const first = key === "created" ? -1 : 1;
    this.sorted = { key, direction: same ? -this.sorted.direction : first };
    this.show();
  }

  showMore() {
    this.limit += STEP;
    this.show();
    if (this.more.hidden) this.frame.focus();
  }

  choose(ids) {
    this.model.set("chosen", ids);
    this.model.save_changes();
    this.mark();
  }

  toggle(id, event) {
    const chosen = new Set(this.model.get("chosen"));
    const on = !chosen.has(id);
    for (const each of event.shiftKey ? this.range(id) : [id]) {
      if (on) chosen.add(each);
      else chosen.delete(each);
    }
    this.anchor = id;
    this.choose([...chosen]);
  }

  // Runs between the last one that was clicked and this one.
  range(id) {
    const ids = this.shown.map((run) => run.id);
    const ends = [ids.indexOf(this.anchor), ids.indexOf(id)].sort((a, b) => a - b);
    return ends[0] < 0 ? [id] : ids.slice(ends[0], ends[1] + 1);
  }

  // --- display -------------------------------------------------------------------------------

  show() {
    const { key, direction } = this.sorted;
    const runs = [...this.model.get("rows")];
    runs.sort((a, b) => compare(a, b, key, direction) || compare(a, b, "created", -1));
    this.shown = runs.slice(0, this.limit);
    this.heads.forEach((head, i) => {
      const order = direction > 0 ? "ascending" : "descending";
      head.setAttribute("aria-sort", COLUMNS[i].key === key ? order : "none");
    });
    this.fill();
    this.mark();
    this.describe(runs.length);
  }

  fill() {
    const left = new Set(this.shown.map((run) => run.id));
    for (const [id, row] of this.rows) {
      if (left.has(id)) continue;
      row.remove();
      this.rows.delete(id);
    }
    this.shown.forEach((run, i) => {
      const row = this.rows.get(run.id) ?? this.makeRow(run.id);
      this.fillRow(row, run);
      if (this.body.children[i] !== row) this.body.insertBefore(row, this.body.children[i] ?? null);
    });
    this.setStop(this.rows.has(this.stop) ? this.stop : this.shown[0]?.id);
  }

  setStop(id) {
    this.stop = id;
    for (const [each, row] of this.rows) row.firstChild.firstChild.tabIndex = each === id ? 0 : -1;
  }

  makeRow(id) {
    const row = make("tr", null);
    const box = make("input", make("td", row), { type: "checkbox" });
    COLUMNS.forEach((_column, i) => make(i ? "td" : "th", row, i ? {} : { scope: "row" }));
    row.addEventListener("click", (event) => this.toggle(id, event));
    box.addEventListener("focus", () => this.setStop(id));
    box.addEventListener("keydown", (event) => {
      if (event.key === "ArrowDown" || event.key === "ArrowUp") this.step(row, event);
    });
    this.rows.set(id, row);
    return row;
  }

  // Move the focus to the checkbox of the next or the previous row.
  step(row, event) {
    const next = event.key === "ArrowDown" ? row.nextElementSibling : row.previousElementSibling;
    event.preventDefault();
    next?.querySelector("input").focus();
  }

  fillRow(row, run) {
    row.firstChild.firstChild.setAttribute("aria-label", `Select ${run.title}`);
    COLUMNS.forEach(({ key, text }, i) => {
      const cell = row.children[i + 1];
      setText(cell, run[text ?? key] || "–");
      if (key === "relative") cell.classList.toggle("nc-marked", run.not_converged);
      if (key === "ns") cell.classList.toggle("nc-requested", !run.simulated);
      if (key === "title") cell.title = run.id;
    });
    row.dataset.run = run.id;
  }

  mark() {
    const chosen = new Set(this.model.get("chosen"));
    for (const [id, row] of this.rows) {
      row.firstChild.firstChild.checked = chosen.has(id);
      row.classList.toggle("nc-chosen", chosen.has(id));
    }
    const marked = this.shown.filter((run) => chosen.has(run.id)).length;
    this.all.checked = marked > 0 && marked === this.shown.length;
    this.all.indeterminate = marked > 0 && !this.all.checked;
    this.all.disabled = !this.shown.length;
  }

  describe(total) {
    const left = total - this.shown.length;
    const note = this.model.get("note");
    setText(this.count, note || (left ? `Showing ${this.shown.length} of ${total} runs.` : ""));
    setText(this.more, `Show ${Math.min(STEP, left)} more`);
    this.more.hidden = !left;
  }
}

export default {
  render({ model, el }) {
    const table = new Table(model, el);
    const show = () => table.show();
    const mark = () => table.mark();
    model.on("change:rows change:note", show);
    model.on("change:chosen", mark);
    show();
    return () => {
      model.off("change:rows change:note", show);
      model.off("change:chosen", mark);
    };
  },
};
