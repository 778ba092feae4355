/**
 * How far a partition may be acknowledged: up to the first message that is not handled, however many behind it are.
 * Committing the highest handled offset instead would lose every message before it that was still running in a crash.
 *
 * Offsets need not be dense: a compacted or transactional Kafka log has gaps, so the order of `start` counts.
 */
export class OffsetTracker {
  #next: bigint;
  /** Started offsets in order; true once handled. Bounded by the member's capacity. */
  readonly #started = new Map<bigint, boolean>();

  /** @param next the group's committed position: the first offset it has not handled */
  constructor(next: bigint) {
    this.#next = next;
  }

  /** The position to commit: everything before it is handled. */
  get next(): bigint {
    return this.#next;
  }

  /** Offsets start in increasing order. */
  start(offset: bigint): void {
    this.#started.set(offset, false);
  }

  finish(offset: bigint): void {
    this.#started.set(offset, true);
    for (const [first, handled] of this.#started) {
      if (!handled) return;
      this.#started.delete(first);
      this.#next = first + 1n;
    }
  }
}
