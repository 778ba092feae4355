import type { Abortable } from "./abortable.ts";
import { onAbort } from "./on-abort.ts";

/**
 * The result of a taken case. A function, because the handler runs after the exchange and not
 * inside it.
 */
export type Outcome<R> = () => R;

/**
 * A send or receive that `select` can wait for, made by `onReceive` and `onSend` of a `Channel`.
 */
export interface Case<R> {
  /** Takes the case if it is ready. */
  poll(): Outcome<R> | undefined;
  /**
   * Joins the queue. `take` is called at most once, when the exchange is complete. Returns a
   * function that leaves it.
   */
  join(take: (outcome: Outcome<R>) => void): () => void;
}

export interface SelectOptions<D = never> extends Abortable {
  /** Runs when no case is ready, instead of waiting. */
  readonly default?: (() => D) | undefined;
  /** From 0 to below 1, as `Math.random`. Decides which of several ready cases is taken. */
  readonly random?: (() => number) | undefined;
}

type ResultOf<C> = C extends Case<infer R> ? R : never;

/**
 * Takes exactly one of `cases` and resolves with the result of its handler: Go's `select`. Several
 * ready cases have equal chances. If none is ready it waits for the first, or runs `default` if
 * there is one.
 *
 *     const job = jobs.onReceive(({ value }) => value);
 *     const next = await select([job, quit.onReceive(() => undefined)], { signal });
 *
 * Rejects with the signal's reason and has taken nothing then. A send case of a closed channel
 * rejects with `ChannelClosedError`. A receive case of a closed channel is always ready.
 */
export async function select<const C extends readonly Case<unknown>[], D = never>(
  cases: C,
  options: SelectOptions<D> = {},
): Promise<Awaited<ResultOf<C[number]> | D>> {
  type R = Awaited<ResultOf<C[number]> | D>;
  options.signal?.throwIfAborted();
  if (cases.length === 0 && options.default === undefined)
    throw new RangeError("select needs at least one case or a default");
  for (const candidate of shuffled(cases, options.random ?? Math.random)) {
    const outcome = candidate.poll();
    if (outcome !== undefined) return (await outcome()) as R;
  }
  if (options.default !== undefined) return await options.default();
  const outcome = await wait(cases, options.signal);
  return (await outcome()) as R;
}

/**
 * Joins the queue of every case and leaves all queues when one is taken, so that no second can be.
 */
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

/** Returns the items in random order (Fisher-Yates). */
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
