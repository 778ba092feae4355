import type { Abortable } from "./abortable.ts";
import { onAbort } from "./on-abort.ts";

/** What a case yields once it is taken. A function, because the handler runs after the exchange and not inside it. */
export type Outcome<R> = () => R;

/** One thing `select` can wait for; `Channel` makes them by `onReceive` and `onSend`. */
export interface Case<R> {
  /** Takes the case if it can be taken now. */
  poll(): Outcome<R> | undefined;
  /** Stands in line. `take` is called at most once, by whoever completes the exchange. Returns how to leave the line. */
  join(take: (outcome: Outcome<R>) => void): () => void;
}

export interface SelectOptions<D = never> extends Abortable {
  /** Taken when no case is ready, instead of waiting. */
  readonly default?: (() => D) | undefined;
  /** From 0 to below 1, as `Math.random`: which of the ready ones is taken. */
  readonly random?: (() => number) | undefined;
}

type ResultOf<C> = C extends Case<infer R> ? R : never;

/**
 * Takes exactly one of `cases` and resolves with what its handler returns; of several that are ready, any one with
 * equal chance. If none is, it waits for the first, or runs `default` if there is one: Go's `select`.
 *
 *     const next = await select([jobs.onReceive(({ value }) => value), quit.onReceive(() => undefined)], { signal });
 *
 * Rejects with the signal's reason, having taken nothing. A send case whose channel is closed rejects with
 * `ChannelClosedError`; a receive case whose channel is closed is always ready.
 */
export async function select<const C extends readonly Case<unknown>[], D = never>(
  cases: C,
  options: SelectOptions<D> = {},
): Promise<Awaited<ResultOf<C[number]> | D>> {
  type R = Awaited<ResultOf<C[number]> | D>;
  options.signal?.throwIfAborted();
  if (cases.length === 0 && options.default === undefined) throw new RangeError("select of no cases waits for nothing");
  for (const candidate of shuffled(cases, options.random ?? Math.random)) {
    const outcome = candidate.poll();
    if (outcome !== undefined) return (await outcome()) as R;
  }
  if (options.default !== undefined) return await options.default();
  const outcome = await wait(cases, options.signal);
  return (await outcome()) as R;
}

/** Stands in line for every case and leaves all lines the moment one is taken: nothing can take a second. */
export function wait<R>(cases: readonly Case<R>[], signal: AbortSignal | undefined): Promise<Outcome<R>> {
  const { promise, resolve, reject } = Promise.withResolvers<Outcome<R>>();
  const leaves: (() => void)[] = [];
  const leaveAll = (): void => {
    for (const leave of leaves) leave();
  };
  const link = onAbort(signal, () => {
    leaveAll();
    reject(signal?.reason);
  });
  for (const candidate of cases) {
    const leave = candidate.join((outcome) => {
      link[Symbol.dispose]();
      leaveAll();
      resolve(outcome);
    });
    leaves.push(leave);
  }
  return promise;
}

/** Fisher and Yates: each order equally likely, hence each ready case equally likely to be met first. */
function shuffled<T>(items: readonly T[], random: () => number): readonly T[] {
  if (items.length < 2) return items;
  const result = [...items];
  for (let last = result.length - 1; last > 0; last--) {
    const other = Math.floor(random() * (last + 1));
    const item = result[last] as T;
    result[last] = result[other] as T;
    result[other] = item;
  }
  return result;
}
