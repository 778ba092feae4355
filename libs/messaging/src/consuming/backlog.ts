import { Semaphore } from "@plumbline/concurrency";
import type { SubscribeOptions } from "../broker.ts";

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
}

export function createBacklog(options: SubscribeOptions): Backlog {
  const { concurrency } = options;
  const capacity = Math.max(concurrency, options.capacity ?? Math.max(32, 4 * concurrency));
  return { slots: new Semaphore(concurrency), permits: new Semaphore(capacity), capacity, concurrency };
}
