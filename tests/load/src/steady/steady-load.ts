import { sleep } from "@plumbline/concurrency";

/**
 * One request. Resolves with undefined on success, or with the fault. A rejection is a failure too.
 */
export type Request = (index: number) => Promise<string | undefined>;

export interface LoadResult {
  readonly sent: number;
  /** The faults, with their number. */
  readonly failures: ReadonlyMap<string, number>;
  readonly failed: number;
  /** The latencies of successful requests. */
  readonly ms: readonly number[];
}

/**
 * Sends requests at a fixed rate until `signal` aborts, independent of the responses: a slow
 * service does not slow this load, unlike clients that wait. Each request is sent once. Resolves
 * after the last response.
 */
export async function steadyLoad(perSecond: number, request: Request, signal: AbortSignal): Promise<LoadResult> {
  const failures = new Map<string, number>();
  const ms: number[] = [];
  const running: Promise<void>[] = [];
  const began = performance.now();
  for (let index = 0; !signal.aborted; index++) {
    running.push(one(index));
    // By the clock, so that a late turn is made up.
    await sleep(Math.max(0, began + (1_000 * (index + 1)) / perSecond - performance.now()), { signal }).catch(() => {});
  }
  await Promise.all(running);
  return { sent: running.length, failures, failed: running.length - ms.length, ms };

  async function one(index: number): Promise<void> {
    const sentAt = performance.now();
    const problem = await request(index).catch((error: unknown) => reason(error));
    if (problem === undefined) ms.push(performance.now() - sentAt);
    else failures.set(problem, (failures.get(problem) ?? 0) + 1);
  }
}

/**
 * Describes an error: the message of fetch is always "fetch failed", and its cause has the fault.
 */
function reason(error: unknown): string {
  const cause = error instanceof Error && error.cause !== undefined ? ` (${String(error.cause)})` : "";
  return `${String(error)}${cause}`;
}
