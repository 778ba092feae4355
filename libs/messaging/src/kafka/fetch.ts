import type { KafkaMessage } from "kafkajs";
import { Assignment, type Consumer } from "../consuming/assignment.ts";
import { toMessage } from "./cloud-events.ts";

/**
 * One partition's fetched records on their way into its assignment, which takes what the member has places for. While
 * records wait here the partition is paused, so a member holds at most one fetch of each partition however long its backlog.
 */
export class Feed {
  readonly assignment: Assignment;
  readonly #consumer: Consumer;
  readonly #records: KafkaMessage[] = [];
  #next: bigint;
  /** What the group last committed for this partition, as far as this member knows. */
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

  /** True while fetched records wait for places. */
  get waiting(): boolean {
    return this.#records.length > 0;
  }

  /** Takes what was fetched. After a rebalance a fetch starts at the committed offset again: what is held is passed over. */
  push(records: readonly KafkaMessage[]): void {
    for (const record of records) {
      const offset = BigInt(record.offset);
      if (offset < this.#next) continue;
      this.#records.push(record);
      this.#next = offset + 1n;
    }
    this.pump();
  }

  /** Moves records into the assignment while there are places. */
  pump(): void {
    let moved = 0;
    for (const record of this.#records) {
      const place = this.#consumer.backlog.places.tryAcquire();
      if (place === undefined) break;
      moved++;
      const { topic } = this.#consumer;
      this.assignment.add(BigInt(record.offset), toMessage(record, topic, this.assignment.partition), place);
    }
    this.#records.splice(0, moved);
  }

  /** Forgets what waits: the next owner fetches it again. */
  drop(): void {
    this.#records.length = 0;
  }
}
