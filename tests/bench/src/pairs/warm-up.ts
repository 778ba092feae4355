import { interrupted } from "../interruption.ts";

/** The slices that must bring nothing, after all that did. */
const idleSlices = 3;
/** A slice brings something if its figure is lower than all before by this share. */
const leastFall = 0.03;

/**
 * Runs slices of work until their figure, such as CPU time per call, has stopped falling, or until
 * the time is over, which is printed. Code is compiled meanwhile, caches fill and heaps grow.
 */
export async function warmUp(what: string, slice: () => Promise<number>, withinMs = 40_000): Promise<void> {
  const giveUpAt = performance.now() + withinMs;
  const figures: number[] = [];
  while (!hasSettled(figures)) {
    interrupted.throwIfAborted();
    if (performance.now() > giveUpAt) {
      const last = figures.slice(-idleSlices).map((figure) => figure.toPrecision(3));
      return console.log(`NOT WARM  ${what}: its figure still falls after ${withinMs / 1_000} s (${last.join(", ")})`);
    }
    figures.push(await slice());
  }
}

/** Returns true if the last slices were no lower than the lowest before them. */
export function hasSettled(figures: readonly number[]): boolean {
  if (figures.length <= idleSlices) return false;
  const before = Math.min(...figures.slice(0, -idleSlices));
  return Math.min(...figures.slice(-idleSlices)) > before * (1 - leastFall);
}
