import { FairSemaphore, Semaphore } from "@plumbline/concurrency";
import type { SubscribeOptions } from "../broker.ts";
import type { Lanes } from "./lanes.ts";

/**
 * The messages that one member may hold, over all its partitions. An adapter takes a permit before
 * it adds a message and fetches no more than it has permits for. Its memory does not depend on the
 * number of messages that wait at the broker.
 */
export interface Backlog {
  /**
   * One slot per running handler. The shares of messages get equal parts of them by cost, and one
   * share at most three quarters.
   */
  readonly slots: FairSemaphore;
  /** One permit per message held, running or waiting. */
  readonly permits: Semaphore;
  readonly capacity: number;
  readonly concurrency: number;
  /** The lanes of the partitions that the member has. */
  readonly lanes: Set<Lanes>;
  /** The bytes of the messages held, and the number from which no more are taken. */
  bytes: number;
  readonly capacityBytes: number;
}

/** Returns the number of messages that wait for another attempt, or behind one that does. */
export function heldByFailures({ lanes }: Backlog): number {
  return lanes.values().reduce((sum, one) => sum + one.heldByFailures, 0);
}

/** Returns the number of messages that may be taken now. */
export function placesOf({ permits, bytes, capacityBytes }: Backlog): number {
  return bytes < capacityBytes ? permits.available : 0;
}

/** Returns a place for one message, or undefined if there is none. */
export function takePlace(backlog: Backlog): Disposable | undefined {
  return placesOf(backlog) > 0 ? backlog.permits.tryAcquire() : undefined;
}

/**
 * Returns true while messages that keep failing hold every place, so that the member fetches
 * nothing.
 */
export function isStuck(backlog: Backlog): boolean {
  const held = backlog.capacity - backlog.permits.available;
  return placesOf(backlog) === 0 && heldByFailures(backlog) === held;
}

const defaultCapacityBytes = 32 * 1024 * 1024;

export function createBacklog(options: SubscribeOptions): Backlog {
  const { concurrency, capacityBytes = defaultCapacityBytes } = options;
  const capacity = Math.max(concurrency, options.capacity ?? Math.max(32, 4 * concurrency));
  // A quarter stays free for the next client, who then waits for no handler of the first one.
  const slots = new FairSemaphore({ permits: concurrency, perShare: Math.ceil((concurrency * 3) / 4) });
  return {
    slots,
    permits: new Semaphore(capacity),
    capacity,
    concurrency,
    lanes: new Set(),
    bytes: 0,
    capacityBytes,
  };
}
