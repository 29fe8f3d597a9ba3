// A chart of curves across the slit, drawn as SVG, with a cursor that the pointer or the arrow keys
// move. A curve is { label, kind, y, half }: its class in the style sheet, its values in the bins
// and the half width of its band, or null.

const MARGIN = { left: 66, right: 12, top: 8, bottom: 48 };

// Create an SVG element.
function svg(name, attributes = {}, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

// Return round values from low to high.
function ticks(low, high, most) {
  const rough = (high - low) / most;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].find((each) => each * power >= rough * 0.999) * power;
  const decimals = Math.max(0, -Math.floor(Math.log10(step * 1.001)));
  const first = Math.ceil(low / step - 1e-6);
  const count = Math.floor(high / step + 1e-6) - first + 1;
  return Array.from({ length: count }, (_, i) => {
    const value = (first + i) * step;
    return { value, text: withMinus(value.toFixed(decimals)).replace(/^−(0(\.0*)?)$/, "$1") };
  });
}

// Return the next value of a ladder of round numbers above a value.
function rung(value, { ladder, headroom }) {
  const wanted = headroom * value;
  const power = 10 ** Math.floor(Math.log10(wanted));
  return ladder.find((each) => each * power >= wanted * 0.999999) * power;
}

const path = (points) => `M${points.map(([x, y]) => `${x.toFixed(2)} ${y.toFixed(2)}`).join("L")}`;

class Chart {
  constructor(host, constants, moved) {
    Object.assign(this, { host, constants, moved, curves: [], z: [], width: 3, top: 1, label: "" });
    this.cursor = null; // index of a bin
    this.image = svg("svg", { "aria-hidden": "true" });
    host.append(this.image);
    host.addEventListener("pointermove", (event) => this.point(event));
    host.addEventListener("pointerdown", (event) => this.point(event));
    host.addEventListener("pointerleave", () => this.move(null));
    host.addEventListener("keydown", (event) => this.press(event));
    new ResizeObserver(() => this.render()).observe(host);
  }

  draw({ curves, z, width, label }) {
    Object.assign(this, { curves, z, width, label });
    this.render();
    this.move(this.cursor);
  }

  render() {
    const { clientWidth, clientHeight } = this.host;
    if (!clientWidth || !clientHeight) return;
    this.setScales(clientWidth, clientHeight);
    this.image.setAttribute("viewBox", `0 0 ${clientWidth} ${clientHeight}`);
    const { left, right, top, bottom } = this.box;
    const frame = { x: left, y: top, width: right - left, height: bottom - top };
    const clip = svg("clipPath", { id: "plot-area" }, svg("rect", frame));
    const drawn = this.curves.flatMap((each) => this.curve(each));
    const curves = svg("g", { "clip-path": "url(#plot-area)" }, ...drawn);
    this.pointer = svg("g", { class: "cursor" });
    this.image.replaceChildren(clip, ...this.grid(), ...this.walls(), curves, ...this.axes(), this.pointer);
    this.drawCursor();
  }

  setScales(width, height) {
    const { left, top } = MARGIN;
    const [right, bottom] = [width - MARGIN.right, height - MARGIN.bottom];
    const reach = Math.ceil(10 * (this.width / 2) + 0.2) / 10; // as in nanoconf/gui/figures/limits.py
    this.setTop();
    this.box = { left, right, top, bottom };
    this.reach = reach;
    this.x = (z) => left + ((z + reach) / (2 * reach)) * (right - left);
    this.y = (density) => bottom - (density / this.top) * (bottom - top);
  }

  // Set the upper end of the axis; it stays while the curves fit and fill most of it.
  setTop() {
    const { headroom, filled } = this.constants;
    const ends = this.curves.map(({ y, half }) => largest(y.map((each, i) => each + (half?.[i] ?? 0))));
    const highest = Math.max(0, ...ends);
    const fits = headroom * highest <= this.top && highest >= filled * this.top;
    if (highest && !fits) this.top = rung(highest, this.constants);
  }

  // Horizontal lines with their values.
  grid() {
    const { left, right, top, bottom } = this.box;
    return ticks(0, this.top, Math.max(2, (bottom - top) / 60)).flatMap(({ value, text }) => [
      svg("line", { class: "grid", x1: left, x2: right, y1: this.y(value), y2: this.y(value) }),
      svg("text", { x: left - 8, y: this.y(value) + 4, "text-anchor": "end" }, text),
    ]);
  }

  walls() {
    const { left, right, top, bottom } = this.box;
    const [from, to] = [this.x(-this.width / 2), this.x(this.width / 2)];
    const wall = (x, end) => svg("rect", { class: "wall", x, y: top, width: end - x, height: bottom - top });
    const edge = (x) => svg("line", { class: "edge", x1: x, x2: x, y1: top, y2: bottom });
    return [wall(left, from), wall(to, right), edge(from), edge(to)];
  }

  axes() {
    const { left, right, top, bottom } = this.box;
    const places = ticks(-this.reach, this.reach, Math.max(2, (right - left) / 90));
    const marks = places.flatMap(({ value, text }) => [
      svg("line", { class: "axis", x1: this.x(value), x2: this.x(value), y1: bottom, y2: bottom + 5 }),
      svg("text", { x: this.x(value), y: bottom + 19, "text-anchor": "middle" }, text),
    ]);
    const lines = svg("path", { class: "axis", d: path([[left, top], [left, bottom], [right, bottom]]) });
    const across = `translate(${(left + right) / 2} ${bottom + 41})`;
    const upwards = `translate(15 ${(top + bottom) / 2}) rotate(-90)`;
    const style = { class: "label", "text-anchor": "middle" };
    const title = (text, transform) => svg("text", { ...style, transform }, text);
    return [lines, ...marks, title("Distance from the midplane, z (nm)", across), title(this.label, upwards)];
  }

  curve({ kind, y, half }) {
    const along = (values) => Array.from(values, (each, i) => [this.x(this.z[i]), this.y(each)]);
    const line = svg("path", { class: `line ${kind}`, d: path(along(y)) });
    if (!half) return [line];
    const above = along(y.map((each, i) => each + half[i]));
    const below = along(y.map((each, i) => each - half[i]));
    return [svg("path", { class: `band ${kind}`, d: `${path([...above, ...below.reverse()])}Z` }), line];
  }

  // --- cursor --------------------------------------------------------------------------------------

  point(event) {
    const z = ((event.offsetX - this.box.left) / (this.box.right - this.box.left) - 0.5) * 2 * this.reach;
    const bin = Math.floor((z / this.width + 0.5) * this.z.length);
    this.move(bin >= 0 && bin < this.z.length ? bin : null);
  }

  press(event) {
    const last = this.z.length - 1;
    const from = this.cursor ?? Math.floor(last / 2);
    const step = event.shiftKey ? 10 : 1;
    const [right, left] = [from + step, from - step];
    const arrows = { ArrowRight: right, ArrowUp: right, ArrowLeft: left, ArrowDown: left };
    const places = { ...arrows, Home: 0, End: last, Escape: null };
    if (!(event.key in places)) return;
    event.preventDefault();
    const place = places[event.key];
    this.move(place === null ? null : Math.min(Math.max(place, 0), last));
  }

  move(bin) {
    this.cursor = this.curves.length ? bin : null;
    this.drawCursor();
    this.moved(this.cursor);
  }

  drawCursor() {
    this.pointer?.replaceChildren();
    if (this.cursor === null || !this.pointer) return;
    const x = this.x(this.z[this.cursor]);
    this.pointer.append(svg("line", { x1: x, x2: x, y1: this.box.top, y2: this.box.bottom }));
    for (const { kind, y } of this.curves) {
      this.pointer.append(svg("circle", { class: kind, cx: x, cy: this.y(y[this.cursor]), r: 4 }));
    }
  }
}
