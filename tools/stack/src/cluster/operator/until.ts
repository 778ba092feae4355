import { sleep } from "@plumbline/concurrency";

/** The namespace of the verb, as its parts use it. */
export interface Cluster {
  readonly namespace: string;
  readonly tag: string;
  /** Returns what kubectl printed, in the namespace. */
  readonly kubectl: (...args: readonly string[]) => Promise<string>;
  /** Applies an object, as its own manager. */
  readonly apply: (object: object) => Promise<void>;
}

/** Resolves once `look` has found it. Rejects after `ms`. */
export async function until(look: () => Promise<boolean>, ms: number, what: string, everyMs = 250): Promise<void> {
  for (const began = performance.now(); !(await look()); await sleep(everyMs)) {
    if (performance.now() - began > ms) throw new Error(`${Math.round(ms / 1_000)} s have passed before ${what}`);
  }
}
