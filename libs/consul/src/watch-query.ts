import { sleep } from "@plumbline/concurrency";
import { ServiceError } from "@plumbline/errors";
import type { Consul, ConsulAnswer, ConsulRequest } from "./consul.ts";

export interface WatchOptions {
  /** Ends the watch and its request. */
  readonly signal: AbortSignal;
  /**
   * Receives the reason each time a request fails or its answer is unusable; the watch goes on.
   * `hasAnswer` is true if only the index was wrong. An error that it throws ends the watch.
   */
  readonly onFault?: ((error: unknown, hasAnswer: boolean) => void) | undefined;
  /**
   * The longest time that the agent holds a request. 10 s. Silence is noticed only after this time,
   * a tenth of it, and up to two seconds.
   */
  readonly waitMs?: number | undefined;
}

export interface Query<T> extends Pick<ConsulRequest, "path" | "query" | "maxBytes" | "mayBeMissing"> {
  /** Reads an answer. An error is a fault: the watch waits for the next change. */
  parse(answer: ConsulAnswer): T;
}

export const usualWaitMs = 10_000;
const mostGraceMs = 2_000;
/** The least time from an answer to the next request, plus up to a half of it. */
const paceMs = 100;
/** The same from a fault until a good answer. */
const slowPaceMs = 1_000;

/**
 * Yields the result of a query, and again when it has changed, until the signal aborts. It asks by
 * blocking queries: at most ten requests a second, and at most one a second after a fault. A fault
 * is an error, an index below 1, one that went back, or one that did not grow although the agent
 * answered early. After a fault it asks without an index, because a blocking query with the index
 * of a lost history would miss changes. A slow reader gets the latest result.
 */
export async function* watchQuery<T>(consul: Consul, query: Query<T>, options: WatchOptions): AsyncIterable<T> {
  const { signal, onFault } = options;
  let position = start;
  let last: ConsulAnswer | undefined;
  /** True from a fault until an answer that waited for its change. */
  let isSlow = false;
  while (!signal.aborted) {
    const asked = await ask(consul, query, position, options);
    if (signal.aborted) return;
    if (asked.fault !== undefined) onFault?.(asked.fault, asked.answer !== undefined);
    if (asked.position === start) isSlow = true;
    else if (position !== start) isSlow = false;
    position = asked.position;
    if (asked.answer !== undefined && !isSame(asked.answer, last)) {
      last = asked.answer;
      const read = readBy(query, asked.answer);
      if ("error" in read) onFault?.(read.error, false);
      else yield read.value;
    }
    // An index that goes back each second time must not double the pace.
    if (!(await pause((isSlow ? slowPaceMs : paceMs) * (1 + Math.random() / 2), signal))) return;
  }
}

/**
 * Returns the time-out of a request that waits for `waitMs`. The agent adds up to a sixteenth, so
 * that its clients do not all ask at once.
 */
export function blockingMs({ timeoutMs }: Consul, waitMs: number): number {
  return waitMs * 1.1 + Math.min(timeoutMs, mostGraceMs);
}

interface Asked {
  readonly answer?: ConsulAnswer;
  readonly fault?: unknown;
  /** The position for the next request. */
  readonly position: string;
}

/** The position of a request that does not wait. */
const start = "";

async function ask<T>(consul: Consul, query: Query<T>, position: string, options: WatchOptions): Promise<Asked> {
  const { path, maxBytes, mayBeMissing } = query;
  const { signal, waitMs = usualWaitMs } = options;
  const isBlocking = position !== start;
  const startedAt = performance.now();
  try {
    const answer = await consul.call({
      path,
      maxBytes,
      mayBeMissing,
      signal,
      query: { ...query.query, ...(isBlocking && { index: position, wait: `${waitMs}ms` }) },
      ...(isBlocking && { timeoutMs: blockingMs(consul, waitMs) }),
    });
    const next = answer.header("x-consul-index");
    if (next === undefined) return { position: start, fault: fault(consul, path, "has no index") };
    if (!(Number(next) >= 1)) {
      // The answer itself is good, so a change is seen by asking again.
      return { position: start, answer, fault: fault(consul, path, "has an index below 1") };
    }
    const isEarly = performance.now() - startedAt < waitMs / 2;
    const growth = Number(next) - Number(position);
    return { position: isBlocking && (growth < 0 || (growth === 0 && isEarly)) ? start : next, answer };
  } catch (error) {
    return { position: start, fault: error };
  }
}

function fault({ url }: Consul, path: string, what: string): ServiceError {
  const text = `the answer of ${url}${path} ${what}: check that the address is that of a Consul agent`;
  return new ServiceError("unavailable", text);
}

function readBy<T>(query: Query<T>, answer: ConsulAnswer): { readonly value: T } | { readonly error: unknown } {
  try {
    return { value: query.parse(answer) };
  } catch (error) {
    return { error };
  }
}

function isSame(answer: ConsulAnswer, last: ConsulAnswer | undefined): boolean {
  if (last === undefined || answer.status !== last.status) return false;
  // Answers that are too large may differ.
  return answer.body !== undefined && last.body !== undefined && answer.body.equals(last.body);
}

/** Returns false if the signal has aborted. */
async function pause(ms: number, signal: AbortSignal): Promise<boolean> {
  try {
    await sleep(ms, { signal });
    return true;
  } catch {
    return false;
  }
}
