import { Semaphore } from "@plumbline/concurrency";
import type { SubscribeOptions } from "../broker.ts";
import type { Lanes } from "./lanes.ts";

/**
 * The messages that one member may hold, over all its partitions. An adapter takes a permit before
 * it adds a message and fetches no more than it has permits for. Its memory does not depend on the
 * number of messages that wait at the broker.
 */
export interface Backlog {
  /** One slot per running handler. */
  readonly slots: Semaphore;
  /** One permit per message held, running or waiting. */
  readonly permits: Semaphore;
  readonly capacity: number;
  readonly concurrency: number;
  /** The lanes of the partitions that the member has. */
  readonly lanes: Set<Lanes>;
}

/** Returns the number of messages that wait for another attempt, or behind one that does. */
export function heldByFailures({ lanes }: Backlog): number {
  return lanes.values().reduce((sum, one) => sum + one.heldByFailures, 0);
}

/**
 * Returns true while messages that keep failing hold every place, so that the member fetches
 * nothing.
 */
export function isStuck(backlog: Backlog): boolean {
  return backlog.permits.available === 0 && heldByFailures(backlog) === backlog.capacity;
}

export function createBacklog(options: SubscribeOptions): Backlog {
  const { concurrency } = options;
  const capacity = Math.max(concurrency, options.capacity ?? Math.max(32, 4 * concurrency));
  const [slots, permits] = [new Semaphore(concurrency), new Semaphore(capacity)];
  return { slots, permits, capacity, concurrency, lanes: new Set() };
}
