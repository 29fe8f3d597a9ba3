// Mean-field density profiles, as in backend/poisson_boltzmann.py, which explains the method. The
// walls carry no charge, as in the training data of the model.

const CELLS_PER_BIN = 2;
const MAX_CHANGE = 0.02;
const MAX_SPLIT = 8;
const MAX_REFINEMENTS = 10;
const NEWTON_TOLERANCE = 1e-12;
const MAX_STEPS = 200;
const NODES = [-0.8611363115940526, -0.3399810435848563, 0.3399810435848563, 0.8611363115940526];
const WEIGHTS = [0.3478548451374538, 0.6521451548625461, 0.6521451548625461, 0.3478548451374538];

const dot = (a, b) => a.reduce((total, each, i) => total + each * b[i], 0);
const largest = (values) => values.reduce((a, b) => Math.max(a, b));

// Return the densities (M) of both species in all bins: { positive, negative }.
function poissonBoltzmann(system, constants) {
  let cells = splitCells(binCells(system, constants), () => CELLS_PER_BIN);
  let field = solve(system, constants, cells, new Float64Array(cells.length));
  for (let i = 0; i < MAX_REFINEMENTS; i++) {
    const splits = wantedSplits(field);
    if (splits.every((each) => each === 1)) break;
    cells = splitCells(field.cells, (cell) => splits[cell]);
    field = solve(system, constants, cells, interpolate(field, cells));
  }
  const perMolar = constants.bins / (system.h * constants.molar);
  const [positive, negative] = field.ions.map((ions) => {
    const left = new Float64Array(constants.bins / 2);
    field.cells.forEach(({ bin }, i) => (left[bin] += ions[i] * perMolar));
    return mirrored(left);
  });
  return { positive, negative };
}

// --- grid ----------------------------------------------------------------------------------------

// One cell for each bin of the left half: distance of its left edge from the wall, width (nm), bin.
function binCells({ h }, { bins }) {
  const width = h / bins;
  return Array.from({ length: bins / 2 }, (_, bin) => ({ left: bin * width, width, bin }));
}

// Split each cell into a number of equal cells.
function splitCells(cells, splits) {
  return cells.flatMap(({ left, width, bin }, i) => {
    const part = width / splits(i);
    return Array.from({ length: splits(i) }, (_, k) => ({ left: left + k * part, width: part, bin }));
  });
}

const centre = (cell) => cell.left + cell.width / 2;

// Return the number of cells that replace each cell in the next refinement.
function wantedSplits({ cells, ions }) {
  const change = new Float64Array(cells.length + 1); // at the edges of the cells
  for (const species of ions) {
    const density = species.map((each, i) => each / cells[i].width);
    const most = largest(density);
    for (let i = 1; i < cells.length; i++) {
      change[i] = Math.max(change[i], Math.abs(density[i] - density[i - 1]) / most);
    }
  }
  return cells.map((_, i) => {
    const splits = Math.ceil(Math.max(change[i], change[i + 1]) / MAX_CHANGE);
    return Math.min(Math.max(splits, 1), MAX_SPLIT);
  });
}

// Interpolate the potential at the centres of new cells.
function interpolate({ cells, potential }, finer) {
  let i = 0;
  return Float64Array.from(finer, (cell) => {
    const z = centre(cell);
    while (i < cells.length - 2 && centre(cells[i + 1]) < z) i++;
    const [low, high] = [centre(cells[i]), centre(cells[i + 1])];
    const share = Math.min(Math.max((z - low) / (high - low), 0), 1);
    return potential[i] + share * (potential[i + 1] - potential[i]);
  });
}

// --- solution on a fixed grid --------------------------------------------------------------------

// Minimise the functional J by Newton's method, starting from a potential (kT/e).
function solve(system, constants, cells, start) {
  const functional = freeEnergy(system, constants, cells);
  let potential = start;
  for (let i = 0; i < MAX_STEPS; i++) {
    const { step, decrease } = newtonStep(functional, potential);
    if (decrease < NEWTON_TOLERANCE * sum(functional.perArea)) {
      const solution = potential.map((each, k) => each + step[k]);
      const { shares } = fractions(functional, solution);
      const ions = shares.map((share, s) => share.map((each) => each * functional.perArea[s]));
      return { cells, potential: solution, ions };
    }
    potential = lineSearch(functional, potential, step, decrease);
  }
  throw new Error("Newton's method did not converge");
}

function freeEnergy(system, constants, cells) {
  const { h, zp, zn } = system;
  const centres = Float64Array.from(cells, centre);
  return {
    perArea: meanDensities(system).map((each) => (each * constants.molar * h) / 2),
    valencies: [zp, zn],
    stiffness: centres
      .subarray(1)
      .map((each, i) => 1 / (4 * Math.PI * constants.bjerrumLength * (each - centres[i]))),
    logVolume: Float64Array.from(cells, (cell) => logVolume(system, constants, cell)),
  };
}

// Return ln ∫ exp(−U_wall) dz over a cell (nm); both species have the same diameter.
function logVolume(system, constants, cell) {
  const { size, plane } = wallOf(system, constants);
  const energies = NODES.map((node) => {
    const z = centre(cell) + (cell.width / 2) * node - system.h / 2;
    return wcaEnergy((plane - z) / size) + wcaEnergy((plane + z) / size);
  });
  const lowest = Math.min(...energies);
  const average = dot(energies.map((each) => Math.exp(lowest - each)), WEIGHTS) / 2;
  return Math.log(average * cell.width) - lowest;
}

// Return the fraction of each species' ions in each cell, and ln ∫ exp(−z ψ − U_wall) dz.
function fractions({ valencies, logVolume: volume }, potential) {
  const shares = [];
  const logarithms = valencies.map((valency) => {
    const exponent = volume.map((each, i) => each - valency * potential[i]);
    const highest = largest(exponent);
    const weight = exponent.map((each) => Math.exp(each - highest));
    const total = sum(weight);
    shares.push(weight.map((each) => each / total));
    return highest + Math.log(total);
  });
  return { shares, logarithms };
}

function value(functional, potential) {
  const { stiffness, perArea } = functional;
  let field = 0;
  for (let i = 0; i < stiffness.length; i++) {
    field += 0.5 * stiffness[i] * (potential[i + 1] - potential[i]) ** 2;
  }
  return field + dot(perArea, fractions(functional, potential).logarithms);
}

// Return the Newton step of ψ, and twice the decrease of J that it predicts. ψ of the last cell is
// held fixed. The Hessian is a tridiagonal matrix minus a dyad for each species.
function newtonStep(functional, potential) {
  const { stiffness, perArea, valencies } = functional;
  const { shares } = fractions(functional, potential);
  const last = potential.length - 1;
  const gradient = new Float64Array(last);
  const diagonal = new Float64Array(last);
  for (let i = 0; i < last; i++) {
    const before = i > 0 ? stiffness[i - 1] : 0;
    gradient[i] = i > 0 ? before * (potential[i] - potential[i - 1]) : 0;
    gradient[i] -= stiffness[i] * (potential[i + 1] - potential[i]);
    diagonal[i] = before + stiffness[i];
    valencies.forEach((valency, s) => {
      gradient[i] -= valency * perArea[s] * shares[s][i];
      diagonal[i] += valency ** 2 * perArea[s] * shares[s][i];
    });
  }
  const dyads = valencies.map((valency, s) => {
    return shares[s].subarray(0, last).map((each) => valency * Math.sqrt(perArea[s]) * each);
  });
  const step = correctedSolution(stiffness, diagonal, gradient.map((each) => -each), dyads);
  return { step: Float64Array.from([...step, 0]), decrease: -dot(gradient, step) };
}

// Solve (T − Σ d dᵀ) x = b with the formula of Sherman, Morrison and Woodbury.
function correctedSolution(stiffness, diagonal, right, dyads) {
  const [free, first, second] = tridiagonal(stiffness, diagonal, [right, ...dyads]);
  const [a, b] = dyads;
  const [[aa, ab], [ba, bb]] = [
    [1 - dot(a, first), -dot(a, second)],
    [-dot(b, first), 1 - dot(b, second)],
  ];
  const [u, v, determinant] = [dot(a, free), dot(b, free), aa * bb - ab * ba];
  const [p, q] = [(u * bb - ab * v) / determinant, (aa * v - ba * u) / determinant];
  return free.map((each, i) => each + p * first[i] + q * second[i]);
}

// Solve a symmetric tridiagonal system, with off-diagonal elements −stiffness, for several vectors.
function tridiagonal(stiffness, diagonal, rightSides) {
  const pivot = Float64Array.from(diagonal);
  const found = rightSides.map((each) => Float64Array.from(each));
  const last = pivot.length - 1;
  for (let i = 1; i <= last; i++) {
    const ratio = stiffness[i - 1] / pivot[i - 1];
    pivot[i] -= ratio * stiffness[i - 1];
    for (const each of found) each[i] += ratio * each[i - 1];
  }
  for (const each of found) {
    each[last] /= pivot[last];
    for (let i = last - 1; i >= 0; i--) each[i] = (each[i] + stiffness[i] * each[i + 1]) / pivot[i];
  }
  return found;
}

// Return ψ after a step, which is halved until it decreases J sufficiently.
function lineSearch(functional, potential, step, decrease) {
  const before = value(functional, potential);
  const rounding = 1e-13 * Math.abs(before);
  for (let length = 1; length > 1e-9; length /= 2) {
    const after = potential.map((each, i) => each + length * step[i]);
    if (value(functional, after) <= before - 1e-4 * length * decrease + rounding) return after;
  }
  throw new Error("Newton's method does not decrease the free energy");
}
