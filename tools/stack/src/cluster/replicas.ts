import { background, sleep } from "@plumbline/concurrency";
import type { Reach } from "./reach.ts";

const pollMs = 200;

/** A change of a Deployment: the pods that it asks for, and those that are ready. */
export interface ReplicaChange {
  /** By performance.now(). */
  readonly at: number;
  readonly wanted: number;
  readonly ready: number;
}

/** A record of the numbers of pods of a Deployment. */
export interface ReplicaRecord extends AsyncDisposable {
  /** The changes so far, the present numbers last. */
  readonly changes: readonly ReplicaChange[];
  /**
   * Resolves with the time from `began` until the latest change is so. Resolves with undefined if
   * it is not within the limit.
   */
  until(is: (change: ReplicaChange) => boolean, began: number, limitMs: number): Promise<number | undefined>;
}

/** Records each change of the numbers of pods of a service. */
export function recordReplicas(reach: Reach, namespace: string, service: string): ReplicaRecord {
  const changes: ReplicaChange[] = [];
  const path = '{.spec.replicas} {.status.readyReplicas}{"\\n"}';
  const of = ["get", "deployment", `plumbline-${service}`, "--watch", "--output", `jsonpath=${path}`];
  const work = background((signal) =>
    reach.followed(["--namespace", namespace, ...of], signal, (line) => {
      const [wanted = "", ready = ""] = line.split(" ");
      if (wanted !== "") changes.push({ at: performance.now(), wanted: Number(wanted), ready: Number(ready) });
    }),
  );
  return {
    changes,
    async until(is, began, limitMs) {
      for (;;) {
        const last = changes.at(-1);
        if (last !== undefined && is(last)) return Math.max(0, last.at - began);
        if (performance.now() - began > limitMs) return undefined;
        await sleep(pollMs);
      }
    },
    [Symbol.asyncDispose]: () => work[Symbol.asyncDispose](),
  };
}

/** Returns the numbers that the changes asked for from a moment on, each once in a row. */
export function wantedSince(changes: readonly ReplicaChange[], began: number): readonly number[] {
  const before = changes.findLast(({ at }) => at <= began);
  const since = changes.filter(({ at }) => at > began);
  const all = [...(before === undefined ? [] : [before]), ...since].map(({ wanted }) => wanted);
  return all.filter((wanted, index) => wanted !== all[index - 1]);
}

/** Returns how often a series of numbers turns from growing to shrinking, or back. */
export function turnsOf(series: readonly number[]): number {
  const steps = series.slice(1).map((value, index) => Math.sign(value - (series[index] ?? value)));
  return steps.filter((step, index) => index > 0 && step !== steps[index - 1]).length;
}
