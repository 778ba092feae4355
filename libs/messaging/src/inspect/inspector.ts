import type { Abortable } from "@plumbline/concurrency";
import type { Message } from "../message.ts";

/** A topic and its number of partitions. */
export interface TopicSummary {
  readonly name: string;
  readonly partitions: number;
}

/** A message and its location. */
export interface LogEntry {
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint;
  readonly message: Message;
}

/** The position of one group in one partition. */
export interface GroupLag {
  readonly topic: string;
  readonly group: string;
  readonly partition: number;
  /** The offset that the next message will get. */
  readonly end: bigint;
  /** The next offset that the group handles. Undefined if it never handled one. */
  readonly committed: bigint | undefined;
  /** The number of kept messages that the group has not handled. */
  readonly lag: bigint;
}

/** A reader of a broker. It joins no group of a service and moves no position. */
export interface Inspector extends AsyncDisposable {
  /** Returns all topics, sorted by name. */
  topics(options?: Abortable): Promise<TopicSummary[]>;
  /**
   * Visits every message that the topics hold at the time of the call, in order within a partition.
   * Messages published meanwhile are not waited for. Holds one fetch at a time in memory.
   */
  read(topics: readonly string[], visit: (entry: LogEntry) => void, options?: Abortable): Promise<void>;
  /**
   * Returns the lags of the groups that read these topics, sorted by topic, group and partition.
   * Rejects with `not_found` if a topic does not exist.
   */
  lag(topics: readonly string[], options?: Abortable): Promise<GroupLag[]>;
}
