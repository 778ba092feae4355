/** Longer texts are no integers of 64 bits, unless they are padded with zeros. */
const maxLength = 400;

/**
 * Returns the integer that a JSON number's text stands for: `7`, `1e2`, `700.00`. Returns undefined
 * for any other text, and for more than 40 digits.
 */
export function exactInteger(text: string): bigint | undefined {
  if (text.length > maxLength) return undefined;
  const [, sign = "", whole, fraction = "", exponent = "0"] =
    /^(-?)(0|[1-9]\d*)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(text) ?? [];
  if (whole === undefined) return undefined;
  const digits = (whole + fraction).replace(/0+$/, "");
  if (digits === "") return 0n;
  // The zeros that follow the digits; negative if some of the digits are a fraction.
  const zeros = whole.length - digits.length + Number(exponent);
  if (zeros < 0 || digits.length + zeros > 40) return undefined;
  return BigInt(`${sign}${digits}${"0".repeat(zeros)}`);
}
