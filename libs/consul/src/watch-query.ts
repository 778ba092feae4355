import { sleep } from "@plumbline/concurrency";
import { ServiceError } from "@plumbline/errors";
import { type Consul, type ConsulAnswer, type ConsulRequest, OtherConnection } from "./consul.ts";

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
  /** Makes a result of a fault, which is yielded too, once while the fault stays the same. */
  ofFault?(error: unknown): T;
}

export const usualWaitMs = 10_000;
const mostGraceMs = 2_000;
/** The least time from an answer to the next request, plus up to a half of it. */
const paceMs = 100;
/** The least time between requests from a fault until a good answer, plus up to a half of it. */
const slowPaceMs = 1_000;

/**
 * Yields the result of a query, and again when it has changed, until the signal aborts. It asks by
 * blocking queries: at most ten requests a second, and at most one a second after a fault. A fault
 * is an error, an index below 1, one that went back, or one that did not grow although the agent
 * answered early. After a fault it asks without an index, because a blocking query with the index
 * of a lost history would miss changes, and yields the result also if it is the same. For the same
 * reason an index is used only over the connection that it came by. A slow reader gets the latest
 * result.
 */
export async function* watchQuery<T>(consul: Consul, query: Query<T>, options: WatchOptions): AsyncIterable<T> {
  const { signal, onFault } = options;
  let position = start;
  let connection: object | undefined;
  let last: ConsulAnswer | undefined;
  let lastFailure: string | undefined;
  /** True from a fault until an answer that waited for its change. */
  let isSlow = false;
  while (!signal.aborted) {
    const startedAt = performance.now();
    const asked = await ask(consul, query, { position, connection }, options);
    if (signal.aborted) return;
    if (asked.position === start) isSlow = true;
    else if (position !== start) isSlow = false;
    position = asked.position;
    const { answer, fault } = asked;
    connection = answer?.connection;
    if (fault !== undefined) onFault?.(fault, answer !== undefined);
    let failure = answer === undefined ? fault : undefined;
    if (answer === undefined) {
      last = undefined; // The next answer is news, whatever it is.
    } else if (!isSame(answer, last)) {
      last = answer;
      const read = readBy(query, answer);
      if ("value" in read) {
        lastFailure = undefined;
        yield read.value;
      } else {
        onFault?.(read.fault, false);
        failure = read.fault;
      }
    }
    if (failure !== undefined && query.ofFault !== undefined && String(failure) !== lastFailure) {
      lastFailure = String(failure);
      yield query.ofFault(failure);
    }
    // An index that goes back each second time must not double the pace.
    const left = isSlow ? slowPaceMs - (performance.now() - startedAt) : 0;
    if (!(await pause(Math.max(left, paceMs) + (isSlow ? slowPaceMs : paceMs) * (Math.random() / 2), signal))) return;
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

/** The index of the last answer, and the connection that it came by. */
interface Place {
  readonly position: string;
  readonly connection?: object | undefined;
}

async function ask<T>(consul: Consul, query: Query<T>, place: Place, options: WatchOptions): Promise<Asked> {
  const { position, connection } = place;
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
      ...(isBlocking && { timeoutMs: blockingMs(consul, waitMs), connection }),
    });
    const next = answer.header("x-consul-index");
    if (next === undefined) return { position: start, fault: unusable(consul, path, "has no index") };
    if (!(Number(next) >= 1)) {
      // The answer itself is good, so a change is seen by asking again.
      return { position: start, answer, fault: unusable(consul, path, "has an index below 1") };
    }
    const isEarly = performance.now() - startedAt < waitMs / 2;
    const growth = Number(next) - Number(position);
    return { position: isBlocking && (growth < 0 || (growth === 0 && isEarly)) ? start : next, answer };
  } catch (error) {
    if (error instanceof OtherConnection) return await ask(consul, query, { position: start }, options);
    return { position: start, fault: error };
  }
}

function unusable({ url }: Consul, path: string, what: string): ServiceError {
  const text = `the answer of ${url}${path} ${what}: check that the address is that of a Consul agent`;
  return new ServiceError("unavailable", text);
}

function readBy<T>(query: Query<T>, answer: ConsulAnswer): { readonly value: T } | { readonly fault: unknown } {
  try {
    return { value: query.parse(answer) };
  } catch (error) {
    return { fault: error };
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
