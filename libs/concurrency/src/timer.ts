// setTimeout keeps its delay in 31 bits: a longer one fires at once, with a warning nobody reads.
export const longestMs = 2 ** 31 - 1;

/** Calls `callback` after `ms` milliseconds, however many; never for Infinity, soon for less than 0. Disposing stops it. */
export function after(ms: number, callback: () => void): Disposable {
  if (Number.isNaN(ms)) throw new RangeError("a time is a number of milliseconds");
  let timer: NodeJS.Timeout | undefined;
  const arm = (left: number): void => {
    timer = left > longestMs ? setTimeout(arm, longestMs, left - longestMs) : setTimeout(callback, left);
  };
  if (ms !== Number.POSITIVE_INFINITY) arm(ms);
  return {
    [Symbol.dispose]() {
      clearTimeout(timer);
    },
  };
}
