import { ServiceError } from "@plumbline/errors";
import { missingTopicError } from "../errors.ts";
import type { Message } from "../message.ts";
import { partitionOf } from "../partition-of.ts";

export interface MemoryLogOptions {
  /** Messages kept per partition. Default 10,000. */
  readonly maxPerPartition?: number | undefined;
}

interface Partition {
  /** Offset of the first message kept. */
  first: bigint;
  messages: Message[];
}

interface Topic {
  readonly partitions: Partition[];
  readonly retentionMs: number;
}

/**
 * The engine behind memory brokers: topics as logs, and how far each group came. Brokers opened on one log are one
 * system, as processes on one server are. A full partition forgets what every group has handled; if there is nothing
 * of that kind, publishing is refused with `resource_exhausted`.
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
    this.#tell();
  }

  /** 0 where the topic does not exist. */
  partitions(topic: string): number {
    return this.#topics.get(topic)?.partitions.length ?? 0;
  }

  retentionMs(topic: string): number {
    return this.#topic(topic).retentionMs;
  }

  /** All or none. */
  append(topic: string, messages: readonly Message[]): void {
    const { partitions } = this.#topic(topic);
    const places = messages.map((message) => partitionOf(message.key, partitions.length));
    for (const [index, partition] of partitions.entries()) {
      this.#makeRoom(topic, index, partition, places.filter((place) => place === index).length);
    }
    for (const [i, message] of messages.entries()) partitions[places[i] ?? 0]?.messages.push(message);
    this.#tell();
  }

  /** The message at `offset`, or the oldest kept behind it. */
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

  /** Messages of the topic that the group has not handled. */
  lag(topic: string, group: string): number {
    const partitions = this.#topics.get(topic)?.partitions ?? [];
    return partitions
      .map(({ first, messages }, index) => {
        const end = Number(first) + messages.length;
        return end - Math.max(Number(first), Number(this.committed(topic, group, index)));
      })
      .reduce((sum, lag) => sum + lag, 0);
  }

  /** Calls back after each change. Disposing ends that. */
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
      const [of] = JSON.parse(key) as [string, string];
      const position = positions[index] ?? 0n;
      if (of === topic && position < lowest) lowest = position;
    }
    return lowest < partition.first ? partition.first : lowest;
  }

  #tell(): void {
    for (const callback of this.#changed) callback();
  }
}
