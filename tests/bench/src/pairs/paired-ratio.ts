/** The ratio of two sides that were measured in pairs. */
export interface PairedRatio {
  /** The geometric mean of the pairs' ratios. */
  readonly mean: number;
  /** Lower and upper end of the 95 % interval, by bootstrap over the pairs. */
  readonly low: number;
  readonly high: number;
}

const resamples = 4_000;

/**
 * Returns the ratio of `after` to `before`, pair by pair, so that a slow moment of the machine
 * falls on both sides. Throws RangeError for no pairs or sides of different lengths.
 */
export function pairedRatio(
  before: readonly number[],
  after: readonly number[],
  random: () => number = Math.random,
): PairedRatio {
  if (before.length === 0 || before.length !== after.length) throw new RangeError("both sides need as many samples");
  const logs = before.map((value, index) => Math.log((after[index] ?? Number.NaN) / value));
  const means = Array.from({ length: resamples }, () => {
    let sum = 0;
    for (let pick = 0; pick < logs.length; pick++) sum += logs[Math.floor(random() * logs.length)] ?? 0;
    return sum / logs.length;
  }).sort((a, b) => a - b);
  const at = (share: number) => Math.exp(means[Math.floor(share * (resamples - 1))] ?? Number.NaN);
  return { mean: Math.exp(logs.reduce((sum, log) => sum + log, 0) / logs.length), low: at(0.025), high: at(0.975) };
}
