import { Assignment, type Consumer } from "../consuming/assignment.ts";
import { takePlace } from "../consuming/backlog.ts";
import type { IncomingRecord } from "./client.ts";
import { toMessage } from "./cloud-events.ts";

/**
 * The fetched records of one partition on their way into its assignment, which takes as many as the
 * member has permits for. The partition is paused while records wait here, so a member holds at
 * most one fetch of each partition.
 */
export class Feed {
  readonly assignment: Assignment;
  readonly #consumer: Consumer;
  readonly #records: IncomingRecord[] = [];
  #next: bigint;
  /** The group's last commit for this partition, as far as this member knows. */
  committed: bigint;

  constructor(consumer: Consumer, partition: number, position: bigint) {
    this.#consumer = consumer;
    this.assignment = new Assignment(consumer, partition, position);
    this.#next = position;
    this.committed = position;
  }

  /** The offset after the last one taken. */
  get next(): bigint {
    return this.#next;
  }

  /** True while fetched records wait for permits. */
  get waiting(): boolean {
    return this.#records.length > 0;
  }

  /**
   * Takes fetched records, after which the log continues at `next`. After a rebalance a fetch may
   * repeat records that were taken already, which are skipped.
   */
  push(records: readonly IncomingRecord[], next: bigint): void {
    for (const record of records) {
      if (record.offset < this.#next) continue;
      this.#records.push(record);
      this.#next = record.offset + 1n;
    }
    if (next > this.#next) this.#next = next;
    this.pump();
  }

  /** Moves records into the assignment while there are permits. */
  pump(): void {
    let moved = 0;
    for (const record of this.#records) {
      const permit = takePlace(this.#consumer.backlog);
      if (permit === undefined) break;
      moved++;
      const { topic } = this.#consumer;
      this.assignment.add(record.offset, toMessage(record, topic, this.assignment.partition), permit);
    }
    this.#records.splice(0, moved);
    if (!this.waiting) this.assignment.skipTo(this.#next);
  }

  /** Drops the waiting records. The next owner fetches them again. */
  drop(): void {
    this.#records.length = 0;
  }
}
