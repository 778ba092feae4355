import type { Abortable } from "./abortable.ts";
import { onAbort } from "./on-abort.ts";
import { after } from "./timer.ts";

/** Until disposed, `signal` aborts with its parent. Disposing detaches it; it does not abort. */
export interface Scope extends Disposable {
  readonly signal: AbortSignal;
  abort(reason?: unknown): void;
}

// Weak, so that a signal's deadline lives as long as the signal and needs no one to take it away.
const deadlines = new WeakMap<AbortSignal, number>();

export interface DeriveOptions extends Abortable {
  /** A deadline that somebody else keeps, by `abort`: what `deadlineOf` tells where the parent has no nearer one. */
  readonly deadline?: number | undefined;
}

/** A scope of its own below `options.signal`: it aborts with that, or alone by `abort`, and has the same deadline. */
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
 * A scope that aborts with a `TimeoutError` after `ms` milliseconds, or earlier with its parent or by `abort`. Zero or
 * less aborts at once, so the time left of a deadline can be passed as it is; Infinity sets none.
 *
 *     using limit = deadline(250, { signal });
 *     const response = await fetch(url, { signal: limit.signal });
 *
 * Disposing stops the timer and detaches from the parent, without aborting. `AbortSignal.any([parent,
 * AbortSignal.timeout(ms)])` has no such end: it is kept until the timeout fires, however early the work was done, and a
 * parent that never aborts can keep more (nodejs/node#54614).
 */
export function deadline(ms: number, options: Abortable = {}): Scope {
  if (Number.isNaN(ms)) throw new RangeError("a deadline is a number of milliseconds");
  const scope = derive(options);
  const at = Math.min(Date.now() + ms, deadlineOf(options.signal) ?? Number.POSITIVE_INFINITY);
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
 * When the nearest deadline of `signal` passes, in milliseconds since the epoch: Go's `ctx.Deadline()`. It knows signals
 * made by `deadline` and `derive`; of a bare `AbortSignal.timeout` it knows nothing, as the platform does not tell.
 */
export function deadlineOf(signal: AbortSignal | undefined): number | undefined {
  return signal === undefined ? undefined : deadlines.get(signal);
}
