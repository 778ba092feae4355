/**
 * One layer of the onion around a call: it runs before, calls `next`, and runs again when the call has ended, after the
 * last message of a stream. It may pass a changed call on, and it sees what the layers below throw.
 */
export type Interceptor<C> = (call: C, next: (call: C) => Promise<void>) => Promise<void>;

/** The onion: the first interceptor is the outermost, `core` is what they are around. */
export function onion<C>(
  interceptors: readonly Interceptor<C>[],
  core: (call: C) => Promise<void>,
): (call: C) => Promise<void> {
  return interceptors.reduceRight<(call: C) => Promise<void>>((next, layer) => (call) => layer(call, next), core);
}
