/**
 * The longest delay of one `setTimeout`, 24.8 days: it keeps its delay in 31 bits and fires a
 * longer one at once.
 */
export const longestTimerMs = 2 ** 31 - 1;

/**
 * Calls `callback` after `ms` milliseconds, however many. Infinity means never, and less than 0
 * means as soon as possible. Disposing cancels it.
 */
export function after(ms: number, callback: () => void): Disposable {
  if (Number.isNaN(ms)) throw new RangeError("a time must be a number of milliseconds");
  let timer: NodeJS.Timeout | undefined;
  const arm = (left: number): void => {
    timer =
      left > longestTimerMs
        ? setTimeout(arm, longestTimerMs, left - longestTimerMs)
        : setTimeout(callback, Math.max(left, 0));
  };
  if (ms !== Number.POSITIVE_INFINITY) arm(ms);
  return {
    [Symbol.dispose]() {
      clearTimeout(timer);
    },
  };
}
