// The network: a list of steps on the values of all members of the ensemble, as in
// nanoconf/surrogate/steps.py. The weights are those of the LiteRT file.

// Decode little-endian float32 numbers.
function decodeFloats(base64) {
  const bytes = Uint8Array.from(atob(base64), (each) => each.charCodeAt(0));
  return new Float32Array(bytes.buffer);
}

function decodeSteps(steps) {
  return steps.map(({ kind, shape, data }) => ({ kind, shape, values: decodeFloats(data) }));
}

// Multiply the values of each member by its kernel, shape (members, inputs, outputs).
function dense(values, { shape: [members, inputs, outputs], values: kernel }) {
  const found = new Float64Array(members * outputs);
  const shared = values.length === inputs; // in the first layer
  for (let member = 0; member < members; member++) {
    for (let input = 0; input < inputs; input++) {
      const value = values[shared ? input : member * inputs + input];
      const row = (member * inputs + input) * outputs;
      for (let output = 0; output < outputs; output++) {
        found[member * outputs + output] += value * kernel[row + output];
      }
    }
  }
  return found;
}

const OPERATIONS = {
  add: (values, step) => values.map((value, i) => value + step.values[i % step.values.length]),
  multiply: (values, step) => values.map((value, i) => value * step.values[i % step.values.length]),
  silu: (values) => values.map((value) => value / (1 + Math.exp(-value))),
  dense,
};

// Return the outputs of all members, one after the other.
function evaluateNetwork(steps, inputs) {
  const start = Float64Array.from(inputs, Math.fround);
  return steps.reduce((values, step) => OPERATIONS[step.kind](values, step), start);
}
