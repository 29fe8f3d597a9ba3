// Predictions of both profiles with their errors, as in nanoconf/surrogate/model.py and band.py.

// Return ρ/mean(ρ) of one member and species in the bins of the left half.
function memberProfile(coefficients, basis, factor) {
  const logarithm = factor.map((_, i) => {
    return coefficients.reduce((total, each, k) => total + each * basis[k][i], 0);
  });
  const highest = largest(logarithm);
  const weight = factor.map((each, i) => each * Math.exp(logarithm[i] - highest));
  const norm = mean(weight);
  return weight.map((each) => each / norm);
}

// Return the coefficients of all members, one array for each species.
function coefficientsOf(system, model) {
  const outputs = evaluateNetwork(model.steps, model.inputs.map((name) => system[name]));
  const { terms } = model;
  const members = Array.from({ length: outputs.length / (2 * terms) }, (_, member) => {
    return [0, 1].map((ion) => outputs.slice((2 * member + ion) * terms).slice(0, terms));
  });
  if (system.zp === -system.zn) {
    // ions that differ only in the sign of their charge have the same profile
    return members.map(([positive, negative]) => {
      const both = positive.map((each, k) => (each + negative[k]) / 2);
      return [both, both];
    });
  }
  return members;
}

// Return the mean and the standard deviation of the members in each bin.
function ensemble(profiles) {
  const average = profiles[0].map((_, i) => mean(profiles.map((each) => each[i])));
  const spread = average.map((centre, i) => {
    return Math.sqrt(sum(profiles.map((each) => (each[i] - centre) ** 2)) / (profiles.length - 1));
  });
  return [average, spread];
}

// Return the index of the region of the error band at |z|: tail, contact, middle.
function region(system, place) {
  const contact = contactPlane(system);
  if (place > contact) return 0;
  return place > contact - system.d / 2 ? 1 : 2;
}

// Predict the profiles of both species over the full slit: { positive, negative }, each with the
// density and its error (M) in all bins.
function predict(system, model) {
  const { factor, place } = wallBins(system, model.constants);
  const basis = polynomials(system, model.constants, place, model.terms);
  const members = coefficientsOf(system, model);
  const means = meanDensities(system);
  const predicted = SPECIES.map((species, ion) => {
    const profiles = members.map((each) => memberProfile(each[ion], basis, factor));
    const [average, spread] = ensemble(profiles);
    const rows = model.band[species][`${system.zp}:${system.zn}`];
    const error = average.map((density, i) => {
      const [scale, share] = rows[region(system, place[i])];
      return Math.hypot(scale * spread[i], share * density);
    });
    const inMolar = (values) => mirrored(values.map((each) => each * means[ion]));
    return [species, { density: inMolar(average), error: inMolar(error) }];
  });
  return Object.fromEntries(predicted);
}

// Return the reason why there is no prediction of a system; empty if there is one.
function outsideDomain(system, model) {
  const outside = model.domain.filter(({ key, low, high }) => {
    const slack = model.constants.tolerance * Math.max(Math.abs(low), Math.abs(high));
    return system[key] < low - slack || system[key] > high + slack;
  });
  if (!outside.length) return "";
  const needs = outside.filter((each) => each.low < each.high).map((each) => each.clause);
  const only = outside.filter((each) => each.low === each.high).map((each) => each.clause);
  const parts = [...(needs.length ? [`it needs ${needs.join(" and ")}`] : []), ...only];
  return `No ML prediction here: ${parts.join(", and ")}.`;
}
