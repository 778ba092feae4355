import { ServiceError } from "@plumbline/errors";
import { missingTopicError } from "../errors.ts";
import type { Message } from "../message.ts";
import { partitionOf } from "../partition-of.ts";

/** The bounds of a log. */
export interface MemoryLogOptions {
  /** The most messages kept per partition. Default: 10,000. */
  readonly maxPerPartition?: number | undefined;
}

interface Partition {
  /** The offset of the first message kept. */
  first: bigint;
  messages: Message[];
}

interface Topic {
  readonly partitions: Partition[];
  readonly retentionMs: number;
}

/**
 * The engine of memory brokers: topics as logs, and the position of each group. Brokers that share
 * a log are one system, like processes that share a server. A full partition drops the messages
 * that every group has handled. If there are none, publishing is rejected with
 * `resource_exhausted`.
 */
export class MemoryLog {
  readonly #topics = new Map<string, Topic>();
  readonly #committed = new Map<string, bigint[]>();
  readonly #changed = new Set<() => void>();
  readonly #maxPerPartition: number;

  constructor(options: MemoryLogOptions = {}) {
    this.#maxPerPartition = options.maxPerPartition ?? 10_000;
  }

  create(name: string, partitions: number, retentionMs: number): void {
    if (this.#topics.has(name)) return;
    const empty = (): Partition => ({ first: 0n, messages: [] });
    this.#topics.set(name, { partitions: Array.from({ length: partitions }, empty), retentionMs });
    this.#notify();
  }

  /** Returns 0 if the topic does not exist. */
  partitions(topic: string): number {
    return this.#topics.get(topic)?.partitions.length ?? 0;
  }

  retentionMs(topic: string): number {
    return this.#topic(topic).retentionMs;
  }

  /** Appends all messages or none. */
  append(topic: string, messages: readonly Message[]): void {
    const { partitions } = this.#topic(topic);
    const targets = messages.map((message) => partitionOf(message.key, partitions.length));
    for (const [index, partition] of partitions.entries()) {
      this.#makeRoom(topic, index, partition, targets.filter((target) => target === index).length);
    }
    for (const [i, message] of messages.entries()) partitions[targets[i] ?? 0]?.messages.push(message);
    this.#notify();
  }

  /** Returns the message at `offset`, or the oldest later one that is kept. */
  read(
    topic: string,
    partition: number,
    offset: bigint,
  ): { readonly offset: bigint; readonly message: Message } | undefined {
    const log = this.#topics.get(topic)?.partitions[partition];
    if (log === undefined) return undefined;
    const at = offset < log.first ? log.first : offset;
    const message = log.messages[Number(at - log.first)];
    return message === undefined ? undefined : { offset: at, message };
  }

  committed(topic: string, group: string, partition: number): bigint {
    return this.#positions(topic, group)[partition] ?? 0n;
  }

  commit(topic: string, group: string, partition: number, position: bigint): void {
    this.#positions(topic, group)[partition] = position;
  }

  /** Returns the number of messages of the topic that the group has not handled. */
  lag(topic: string, group: string): number {
    const partitions = this.#topics.get(topic)?.partitions ?? [];
    return partitions
      .map(({ first, messages }, index) => {
        const end = Number(first) + messages.length;
        return end - Math.max(Number(first), Number(this.committed(topic, group, index)));
      })
      .reduce((sum, lag) => sum + lag, 0);
  }

  /** Calls back after each change until the result is disposed. */
  watch(callback: () => void): Disposable {
    this.#changed.add(callback);
    return { [Symbol.dispose]: () => void this.#changed.delete(callback) };
  }

  #topic(name: string): Topic {
    const topic = this.#topics.get(name);
    if (topic === undefined) throw missingTopicError(name);
    return topic;
  }

  #positions(topic: string, group: string): bigint[] {
    const key = JSON.stringify([topic, group]);
    let positions = this.#committed.get(key);
    if (positions === undefined) this.#committed.set(key, (positions = []));
    return positions;
  }

  #makeRoom(topic: string, index: number, partition: Partition, incoming: number): void {
    const excess = partition.messages.length + incoming - this.#maxPerPartition;
    if (excess <= 0) return;
    const handled = Number(this.#handledByAll(topic, index, partition) - partition.first);
    if (handled < excess) throw new ServiceError("resource_exhausted", `partition ${index} of topic ${topic} is full`);
    partition.messages.splice(0, handled);
    partition.first += BigInt(handled);
  }

  #handledByAll(topic: string, index: number, partition: Partition): bigint {
    let lowest = partition.first + BigInt(partition.messages.length);
    for (const [key, positions] of this.#committed) {
      const [owner] = JSON.parse(key) as [string, string];
      const position = positions[index] ?? 0n;
      if (owner === topic && position < lowest) lowest = position;
    }
    return lowest < partition.first ? partition.first : lowest;
  }

  #notify(): void {
    for (const callback of this.#changed) callback();
  }
}
