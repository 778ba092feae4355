import { Semaphore } from "@plumbline/concurrency";
import type { SubscribeOptions } from "../broker.ts";

/**
 * What one member may hold, over all its partitions. An adapter takes a place before it adds a message, and fetches
 * only what there are places for: its memory does not depend on how much waits at the broker.
 */
export interface Backlog {
  /** Handlers running. */
  readonly slots: Semaphore;
  /** Messages held, running and waiting. */
  readonly places: Semaphore;
  readonly capacity: number;
  readonly concurrency: number;
}

export function createBacklog(options: SubscribeOptions): Backlog {
  const { concurrency } = options;
  const capacity = Math.max(concurrency, options.capacity ?? Math.max(32, 4 * concurrency));
  return { slots: new Semaphore(concurrency), places: new Semaphore(capacity), capacity, concurrency };
}
