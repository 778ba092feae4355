import { sleep } from "@plumbline/concurrency";

/** One request: resolves with nothing when it was answered well, with what was wrong otherwise. Rejecting is wrong too. */
export type Request = (index: number) => Promise<string | undefined>;

export interface LoadResult {
  readonly sent: number;
  /** What was wrong, as often as it was. */
  readonly failures: ReadonlyMap<string, number>;
  readonly failed: number;
  /** Of the requests that were answered well. */
  readonly ms: readonly number[];
}

/**
 * Sends at a fixed rate until `signal` aborts, however long answers take: a service that slows down does not slow its
 * clients, as it does with clients that wait. Each request is sent once. Resolves when the last one is answered.
 */
export async function steadyLoad(perSecond: number, request: Request, signal: AbortSignal): Promise<LoadResult> {
  const failures = new Map<string, number>();
  const ms: number[] = [];
  const running: Promise<void>[] = [];
  const began = performance.now();
  for (let index = 0; !signal.aborted; index++) {
    running.push(one(index));
    // By the clock: a late turn is made up for.
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

/** fetch says "fetch failed" of everything; its cause says what it was. */
function reason(error: unknown): string {
  const cause = error instanceof Error && error.cause !== undefined ? ` (${String(error.cause)})` : "";
  return `${String(error)}${cause}`;
}
