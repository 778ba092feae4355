/**
 * Tracks the position up to which a partition may be acknowledged: the first message that is not
 * handled, however many later ones are. Committing the highest handled offset instead would lose,
 * after a crash, every earlier message that was still running.
 *
 * Offsets may have gaps, as in a compacted or transactional Kafka log. Only the order of `start`
 * counts.
 */
export class OffsetTracker {
  #next: bigint;
  /** The position once every started message is handled, if nothing follows them but gaps. */
  #end: bigint;
  /**
   * The started offsets in order. The value is true once the message is handled. Bounded by the
   * member's capacity.
   */
  readonly #started = new Map<bigint, boolean>();

  /** @param next the group's committed position: the first offset that it has not handled */
  constructor(next: bigint) {
    this.#next = next;
    this.#end = next;
  }

  /** The position to commit. All messages before it are handled. */
  get next(): bigint {
    return this.#next;
  }

  /** Records that a message is in progress. Offsets must increase. */
  start(offset: bigint): void {
    this.#started.set(offset, false);
  }

  /**
   * Records that no message lies between the last one started and `next`, but markers of
   * transactions and records that were aborted.
   */
  skipTo(next: bigint): void {
    this.#end = next;
    if (this.#started.size === 0) this.#next = next;
  }

  finish(offset: bigint): void {
    this.#started.set(offset, true);
    for (const [first, handled] of this.#started) {
      if (!handled) return;
      this.#started.delete(first);
      this.#next = first + 1n;
    }
    if (this.#end > this.#next) this.#next = this.#end;
  }
}
