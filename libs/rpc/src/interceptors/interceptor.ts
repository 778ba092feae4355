/**
 * An interceptor of calls: it runs, calls `next`, and goes on when the call has ended, after the
 * last message of a stream. It passes on the call that it got, and may change its metadata. A copy
 * by spread would lack the methods of the call. It sees the errors of inner interceptors.
 */
export type Interceptor<C> = (call: C, next: (call: C) => Promise<void>) => Promise<void>;

/** Composes interceptors around `core`. The first is the outermost. */
export function onion<C>(
  interceptors: readonly Interceptor<C>[],
  core: (call: C) => Promise<void>,
): (call: C) => Promise<void> {
  return interceptors.reduceRight<(call: C) => Promise<void>>((next, layer) => (call) => layer(call, next), core);
}
