import type { Abortable } from "./abortable.ts";
import { onAbort } from "./on-abort.ts";
import { steadyNow } from "./steady-now.ts";
import { after } from "./timer.ts";

/**
 * A signal that aborts with its parent until it is disposed. Disposing detaches it without
 * aborting.
 */
export interface Scope extends Disposable {
  readonly signal: AbortSignal;
  abort(reason?: unknown): void;
}

// Weak, so that an entry lives as long as its signal.
const deadlines = new WeakMap<AbortSignal, number>();

export interface DeriveOptions extends Abortable {
  /**
   * A deadline that the caller enforces with `abort`. `deadlineOf` returns it unless the parent's
   * is earlier.
   */
  readonly deadline?: number | undefined;
}

/**
 * Returns a scope below `options.signal`, with its deadline. It aborts with that signal, or alone
 * by `abort`.
 */
export function derive(options: DeriveOptions = {}): Scope {
  const parent = options.signal;
  const controller = new AbortController();
  const known = Math.min(deadlineOf(parent) ?? Number.POSITIVE_INFINITY, options.deadline ?? Number.POSITIVE_INFINITY);
  if (known !== Number.POSITIVE_INFINITY) deadlines.set(controller.signal, known);
  const link = onAbort(parent, () => controller.abort(parent?.reason));
  return {
    signal: controller.signal,
    abort: (reason) => controller.abort(reason),
    [Symbol.dispose]: () => link[Symbol.dispose](),
  };
}

/**
 * Returns a scope that aborts with a `TimeoutError` after `ms` milliseconds, or earlier with its
 * parent or by `abort`. Zero or less aborts at once, so the time left of another deadline can be
 * passed as it is. Infinity sets none.
 *
 *     using limit = deadline(250, { signal });
 *     const response = await fetch(url, { signal: limit.signal });
 *
 * Disposing stops the timer and detaches from the parent, without aborting.
 * `AbortSignal.any([parent, AbortSignal.timeout(ms)])` cannot be disposed: it stays in memory until
 * the timeout fires, and a parent that never aborts can keep more (nodejs/node#54614).
 */
export function deadline(ms: number, options: Abortable = {}): Scope {
  if (Number.isNaN(ms)) throw new RangeError("a deadline must be a number of milliseconds");
  const scope = derive(options);
  const at = Math.min(steadyNow() + ms, deadlineOf(options.signal) ?? Number.POSITIVE_INFINITY);
  if (at !== Number.POSITIVE_INFINITY) deadlines.set(scope.signal, at);
  const expire = (): void => scope.abort(new DOMException(`the deadline of ${ms} ms passed`, "TimeoutError"));
  if (ms <= 0) expire();
  const timer = scope.signal.aborted ? undefined : after(ms, expire);
  return {
    signal: scope.signal,
    abort: (reason) => scope.abort(reason),
    [Symbol.dispose]() {
      timer?.[Symbol.dispose]();
      scope[Symbol.dispose]();
    },
  };
}

/**
 * Returns the nearest deadline of `signal` in milliseconds since the epoch, by `steadyNow`: Go's
 * `ctx.Deadline()`. It is undefined for signals not made by `deadline` or `derive`, such as
 * `AbortSignal.timeout`, whose deadline the platform does not expose.
 */
export function deadlineOf(signal: AbortSignal | undefined): number | undefined {
  return signal === undefined ? undefined : deadlines.get(signal);
}
