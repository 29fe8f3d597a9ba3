// Walls and bins of a slit, as in nanoconf/surrogate/shape.py and backend/walls.py. A system is
// { h, zp, zn, c, d }: width (nm), valencies, concentration (M) of the negative ions, diameter (nm).

const SPECIES = ["positive", "negative"];
const WCA_RANGE = 2 ** (1 / 6);
const TABLE_POINTS = 20001;

const sum = (values) => values.reduce((total, each) => total + each, 0);
const mean = (values) => sum(values) / values.length;
const largest = (values) => values.reduce((a, b) => Math.max(a, b));

const contactPlane = (system) => (system.h - system.d) / 2;

// Return the mean densities (M) of both species.
const meanDensities = (system) => [(-system.zn * system.c) / system.zp, system.c];

// Return the WCA size of the walls, and the |z| of the plane that repels the ions (nm).
function wallOf(system, { wall }) {
  const { h, d } = system;
  return wall === "ion" ? { size: d, plane: h / 2 + d / 2 } : { size: d / 2, plane: h / 2 };
}

// Return the WCA energy (kT) at a distance in units of its size.
function wcaEnergy(distance) {
  if (distance <= 0) return Infinity;
  const s6 = 1 / Math.max(distance, 1e-9) ** 6;
  return s6 > 0.5 ? 4 * s6 * (s6 - 1) + 1 : 0;
}

// Return exp(−U) of both walls as a function of z (nm).
function wallFactor(system, constants) {
  const { size, plane } = wallOf(system, constants);
  return (z) => Math.exp(-wcaEnergy((plane - z) / size) - wcaEnergy((plane + z) / size));
}

// Centres of all bins (nm).
function binCentres({ h }, { bins }) {
  return Float64Array.from({ length: bins }, (_, i) => ((i + 0.5) / bins - 0.5) * h);
}

const mirrored = (left) => Float64Array.from([...left, ...[...left].reverse()]);

// Tabulate the integrals of exp(−U) and u exp(−U) from 0 up to the end of the repulsion.
function integrals() {
  const step = WCA_RANGE / (TABLE_POINTS - 1);
  const area = new Float64Array(TABLE_POINTS);
  const moment = new Float64Array(TABLE_POINTS);
  let before = 0;
  for (let i = 1; i < TABLE_POINTS; i++) {
    const factor = Math.exp(-wcaEnergy(i * step));
    area[i] = area[i - 1] + ((before + factor) / 2) * step;
    moment[i] = moment[i - 1] + ((before * (i - 1) + factor * i) / 2) * step * step;
    before = factor;
  }
  return { area, moment, step };
}

let table = null;

// Return both integrals up to a distance.
function cumulative(distance) {
  table ??= integrals();
  const { area, moment, step } = table;
  const last = TABLE_POINTS - 1;
  const place = Math.min(Math.max(distance / step, 0), last);
  const i = Math.min(Math.floor(place), last - 1);
  const at = (values) => values[i] + (place - i) * (values[i + 1] - values[i]);
  const beyond = Math.max(distance, WCA_RANGE);
  return [at(area) + beyond - WCA_RANGE, at(moment) + (beyond ** 2 - WCA_RANGE ** 2) / 2];
}

// Return the mean of exp(−U_wall) over each bin of the left half, and the |z| (nm) of its centroid.
function wallBins(system, constants) {
  const { size, plane } = wallOf(system, constants);
  const half = constants.bins / 2;
  const factor = new Float64Array(half);
  const place = new Float64Array(half);
  let near = (plane - system.h * 0.5) / size;
  let [area, moment] = cumulative(near);
  for (let i = 0; i < half; i++) {
    const far = (plane - system.h * (0.5 - (i + 1) / constants.bins)) / size;
    const [areaTo, momentTo] = cumulative(far);
    const inBin = areaTo - area;
    const open = inBin / (far - near) > constants.smallestFactor;
    factor[i] = open ? inBin / (far - near) : 0;
    place[i] = plane - size * (open ? (momentTo - moment) / inBin : (near + far) / 2);
    [near, area, moment] = [far, areaTo, momentTo];
  }
  return { factor, place };
}

// Evaluate the even Chebyshev polynomials of ln y at |z| (nm): one array for each term.
function polynomials(system, constants, place, terms) {
  const { size, plane } = wallOf(system, constants);
  const reach = plane - constants.reach * size;
  const x = place.map((z) => 2 * Math.min((z / reach) ** 2, 1) - 1);
  const found = [x.map(() => 1), x];
  while (found.length <= terms) {
    const [older, newer] = found.slice(-2);
    found.push(newer.map((value, i) => 2 * x[i] * value - older[i]));
  }
  return found.slice(1, terms + 1);
}

// Return the density (M) at the contact plane, interpolated as in backend/profiles/density.py.
function contactDensity(system, constants, density) {
  const { bins, pointsPerBin: points } = constants;
  const contact = contactPlane(system);
  const factor = wallFactor(system, constants);
  const average = (i) => {
    const places = Array.from({ length: points }, (_, k) => (i + (k + 0.5) / points) / bins);
    return mean(places.map((each) => factor((each - 0.5) * system.h)));
  };
  const place = ((0.5 * system.h - contact) / system.h) * bins - 0.5;
  const before = Math.floor(place);
  const right = density[before + 1] / average(before + 1);
  const accessible = average(before) > constants.accessible;
  const left = accessible ? density[before] / average(before) : right;
  return (left + (place - before) * (right - left)) / Math.E;
}
