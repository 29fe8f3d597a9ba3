// Mean-field density profiles, as in backend/poisson_boltzmann.py. Between uncharged walls, ions of
// equal diameter feel the same walls, so their charges cancel everywhere and the mean potential is
// zero: what remains of the Poisson-Boltzmann equation is the Boltzmann factor of the walls.

const CELLS_PER_BIN = 16;
const NODES = [0.3399810435848563, 0.8611363115940526]; // of the 4-point Gauss-Legendre rule
const WEIGHTS = [0.6521451548625461, 0.3478548451374538];

// Return the densities (M) of both species in all bins: { positive, negative }.
function poissonBoltzmann(system, constants) {
  const half = constants.bins / 2;
  const factor = Float64Array.from({ length: half }, (_, bin) => binFactor(system, constants, bin));
  const norm = mean(factor);
  const [positive, negative] = meanDensities(system).map((density) => {
    return mirrored(factor.map((each) => (density * each) / norm));
  });
  return { positive, negative };
}

// Return the mean of exp(−U_wall), with both walls, over a bin.
function binFactor(system, constants, bin) {
  const factor = wallFactor(system, constants);
  const width = system.h / constants.bins / CELLS_PER_BIN;
  const cells = Array.from({ length: CELLS_PER_BIN }, (_, i) => {
    const centre = (bin * CELLS_PER_BIN + i + 0.5) * width - system.h / 2;
    const pairs = NODES.map((x) => factor(centre - (x * width) / 2) + factor(centre + (x * width) / 2));
    return (WEIGHTS[0] * pairs[0] + WEIGHTS[1] * pairs[1]) / 2;
  });
  return mean(cells);
}
