/**
 * The part of the Kafka adapter that differs between client libraries. Everything else is shared: lanes, commits, the
 * order of sends, restarts. A client rejects with its library's own errors, which `fromKafka` translates.
 */
export interface KafkaClient extends AsyncDisposable {
  /** Resolves when a broker answers. */
  ping(): Promise<void>;
  topics(): Promise<string[]>;
  /** Returns the number of partitions of each topic. Every topic must exist; resolves once each partition has a leader. */
  partitions(topics: readonly string[]): Promise<Map<string, number>>;
  createTopics(topics: readonly string[], partitions: number, config: Readonly<Record<string, string>>): Promise<void>;
  /** Returns one entry of the topic's configuration. */
  topicConfig(topic: string, name: string): Promise<string | undefined>;
  /** Resolves once all in-sync replicas have the records. Two calls must not overlap: see PublishQueue. */
  send(topic: string, records: readonly OutgoingRecord[]): Promise<void>;
  /** Returns the first and the next offset of each partition. */
  offsets(topic: string): Promise<PartitionOffsets[]>;
  groups(): Promise<string[]>;
  /** Returns what the group has committed, without the partitions for which it has committed nothing. */
  committed(groupId: string, topic: string): Promise<Map<number, bigint>>;
  /** Creates a member that has not joined yet. */
  member(options: MemberOptions, events: MemberEvents): Member;
  /**
   * Reads partitions from their oldest record up to `end`, without a group's position, and calls `visit` for each
   * record. Rejects with the signal's reason when it aborts.
   */
  read(ends: readonly PartitionEnd[], visit: ReadVisitor, signal?: AbortSignal): Promise<void>;
}

export interface MemberOptions {
  readonly topic: string;
  readonly groupId: string;
  readonly sessionMs: number;
  /** The limit for one partition in one fetch; a larger single batch is still fetched. */
  readonly maxFetchBytes: number;
}

/**
 * One stay in a consumer group, from joining to leaving or to a crash. It fetches what is assigned to it and not paused,
 * and sends heartbeats. It commits nothing by itself.
 */
export interface Member {
  /** Joins and starts fetching. Rejects when the broker cannot be reached. */
  start(): Promise<void>;
  /** Fetches nothing more of this partition until `resume`. */
  pause(partition: number): void;
  resume(partition: number): void;
  /** Rejects, without joining again, when the member's generation is over. */
  commit(offsets: ReadonlyMap<number, bigint>): Promise<void>;
  /** Leaves the group and closes the connections. While `start` is pending it waits for that first. */
  leave(): Promise<void>;
}

export interface MemberEvents {
  /** The broker answered a fetch or a heartbeat. */
  contact(): void;
  /** A rebalance ended: from now on the member owns these partitions and no others. */
  assigned(partitions: readonly number[]): void;
  /** Records arrived. Returns false when they were not taken; the member then fetches them again. */
  fetched(batch: FetchedBatch): boolean;
  /** The log of this partition no longer continues what was fetched before. */
  restarted(partition: number): void;
  /** The member is no longer usable. */
  crashed(error: Error): void;
}

export interface FetchedBatch {
  readonly partition: number;
  /** In order. May start before the fetched position, and may be empty where the log holds only markers. */
  readonly records: readonly IncomingRecord[];
  /** The offset that the partition's next record gets. */
  readonly highWatermark: bigint;
}

export interface OutgoingRecord {
  readonly partition: number;
  readonly key: string;
  readonly value: Buffer;
  readonly headers: Readonly<Record<string, string>>;
}

export interface IncomingRecord {
  readonly offset: bigint;
  /** In milliseconds since 1970. */
  readonly timestamp: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  /** Of a header that occurs several times, the last. */
  readonly headers: ReadonlyMap<string, string>;
}

export interface PartitionOffsets {
  readonly partition: number;
  readonly low: bigint;
  readonly high: bigint;
}

export interface PartitionEnd {
  readonly topic: string;
  readonly partition: number;
  readonly end: bigint;
}

export type ReadVisitor = (topic: string, partition: number, record: IncomingRecord) => void;
