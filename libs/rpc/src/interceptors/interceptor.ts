/**
 * An interceptor of calls: it runs, calls `next`, and goes on when the call has ended, after the
 * last message of a stream. It may pass on a changed call, and it sees the errors of inner
 * interceptors.
 */
export type Interceptor<C> = (call: C, next: (call: C) => Promise<void>) => Promise<void>;

/** Composes interceptors around `core`. The first is the outermost. */
export function onion<C>(
  interceptors: readonly Interceptor<C>[],
  core: (call: C) => Promise<void>,
): (call: C) => Promise<void> {
  return interceptors.reduceRight<(call: C) => Promise<void>>((next, layer) => (call) => layer(call, next), core);
}
