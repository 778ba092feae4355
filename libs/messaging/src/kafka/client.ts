/**
 * A client library, which is the part of the Kafka adapter that differs. Lanes, commits, the order
 * of sends and restarts are shared. A client rejects with its library's own errors, which
 * `fromKafka` translates.
 */
export interface KafkaClient extends AsyncDisposable {
  /** Resolves if a broker responds. */
  ping(): Promise<void>;
  topics(): Promise<string[]>;
  /**
   * Returns the number of partitions of each topic. Every topic must exist; resolves once each
   * partition has a leader.
   */
  partitions(topics: readonly string[]): Promise<Map<string, number>>;
  createTopics(topics: readonly string[], partitions: number, config: Readonly<Record<string, string>>): Promise<void>;
  /** Returns one entry of the topic's configuration. */
  topicConfig(topic: string, name: string): Promise<string | undefined>;
  /**
   * Resolves once all in-sync replicas have the records. Two calls must not overlap: see
   * PublishQueue.
   */
  send(topic: string, records: readonly OutgoingRecord[]): Promise<void>;
  /** Returns the first and the next offset of each partition. */
  offsets(topic: string): Promise<PartitionOffsets[]>;
  groups(): Promise<string[]>;
  /**
   * Returns the group's committed offsets, without partitions for which it has committed nothing.
   */
  committed(groupId: string, topic: string): Promise<Map<number, bigint>>;
  /** Creates a member that has not joined yet. */
  member(options: MemberOptions, events: MemberEvents): Member;
  /**
   * Reads partitions from their oldest record up to `end`, without a group's position, and calls
   * `visit` for each record. Rejects with the signal's reason when it aborts.
   */
  read(ends: readonly PartitionEnd[], visit: ReadVisitor, signal?: AbortSignal): Promise<void>;
}

/** The settings of a member. */
export interface MemberOptions {
  readonly topic: string;
  readonly groupId: string;
  readonly sessionMs: number;
  /** The limit for one partition in one fetch; a larger single batch is still fetched. */
  readonly maxFetchBytes: number;
}

/**
 * A member of a consumer group, from joining to leaving or crashing. It fetches from the partitions
 * that are assigned and not paused, and sends heartbeats. It commits nothing by itself.
 */
export interface Member {
  /** Joins the group and starts fetching. Rejects if the broker is unreachable. */
  start(): Promise<void>;
  /** Stops fetching from this partition until `resume`. */
  pause(partition: number): void;
  resume(partition: number): void;
  /** Commits offsets. Rejects, without joining again, if the member's generation is over. */
  commit(offsets: ReadonlyMap<number, bigint>): Promise<void>;
  /**
   * Leaves the group and closes the connections. While `start` is pending it waits for that first.
   */
  leave(): Promise<void>;
}

/** The callbacks of a member. */
export interface MemberEvents {
  /** Called when the broker responds to a fetch or a heartbeat. */
  contact(): void;
  /** Called when a rebalance ends. From now on the member owns these partitions and no others. */
  assigned(partitions: readonly number[]): void;
  /**
   * Called when records arrive. Returns false if they were not taken; the member then fetches them
   * again.
   */
  fetched(batch: FetchedBatch): boolean;
  /** Called when the log of this partition does not continue the fetched records. */
  restarted(partition: number): void;
  /** Called when the member can no longer be used. */
  crashed(error: Error): void;
}

/** The records of one partition in one fetch. */
export interface FetchedBatch {
  readonly partition: number;
  /**
   * The records in order. May start before the fetched position, and may be empty if the log holds
   * only markers.
   */
  readonly records: readonly IncomingRecord[];
  /** The offset to fetch next, after the markers and the aborted records that are left out. */
  readonly next: bigint;
  /** The offset that the partition's next record will get. */
  readonly highWatermark: bigint;
}

/** A record to send. */
export interface OutgoingRecord {
  readonly partition: number;
  readonly key: string;
  readonly value: Buffer;
  readonly headers: Readonly<Record<string, string>>;
}

/** A record of a log. */
export interface IncomingRecord {
  readonly offset: bigint;
  /** In milliseconds since 1970. */
  readonly timestamp: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  /** A header that occurs several times has its last value. */
  readonly headers: ReadonlyMap<string, string>;
}

/** The range of offsets of a partition: the first, and the one after the last. */
export interface PartitionOffsets {
  readonly partition: number;
  readonly low: bigint;
  readonly high: bigint;
}

/** A partition and the offset at which reading ends. */
export interface PartitionEnd {
  readonly topic: string;
  readonly partition: number;
  readonly end: bigint;
}

export type ReadVisitor = (topic: string, partition: number, record: IncomingRecord) => void;
