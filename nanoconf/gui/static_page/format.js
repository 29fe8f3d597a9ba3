// Numbers as text.

// Format a number with a number of significant digits, as format(value, ".8g") does in Python.
function general(value, digits) {
  if (value === 0) return "0";
  const trimmed = (text) => (text.includes(".") ? text.replace(/\.?0+$/, "") : text);
  const [mantissa, exponent] = value.toExponential(digits - 1).split("e");
  const power = Number(exponent);
  if (power >= -4 && power < digits) return trimmed(value.toFixed(digits - 1 - power));
  const sign = power < 0 ? "-" : "+";
  return `${trimmed(mantissa)}e${sign}${String(Math.abs(power)).padStart(2, "0")}`;
}

const withMinus = (text) => text.replaceAll("-", "−");

// Format a number for readers, with powers of ten: −2.5×10⁻⁵.
function formatted(value, digits) {
  const [mantissa, exponent] = general(value, digits).split("e");
  if (exponent === undefined) return withMinus(mantissa);
  const raised = (each) => "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"["-0123456789".indexOf(each)];
  return `${withMinus(mantissa)}×10${Array.from(String(Number(exponent)), raised).join("")}`;
}

const threeDigits = (density) => (density < 1e-4 ? formatted(density, 3) : density.toPrecision(3));

// Format the value of an input as its field shows it.
function fieldText(value, { decimals }) {
  const text = value.toFixed(decimals);
  const close = Math.abs(Number(text) - value) <= 1e-9 * Math.abs(value);
  return withMinus(close ? text : general(value, 6));
}

// Describe a system in one line.
function describe({ h, zp, zn, c, d }) {
  const [width, molar, size] = [h, c, d].map((each) => general(each, 6));
  return `h ${width} nm, ${zp}:−${-zn}, ${molar} M, d ${size} nm`;
}
