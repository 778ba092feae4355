import type { Abortable } from "@plumbline/concurrency";
import type { Message } from "../message.ts";

export interface TopicSummary {
  readonly name: string;
  readonly partitions: number;
}

/** A message and where it lies. */
export interface LogEntry {
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint;
  readonly message: Message;
}

/** How far one group came in one partition. */
export interface GroupLag {
  readonly topic: string;
  readonly group: string;
  readonly partition: number;
  /** The offset the next message gets. */
  readonly end: bigint;
  /** The next offset the group handles; undefined where it never handled one. */
  readonly committed: bigint | undefined;
  /** Messages still kept that the group has not handled. */
  readonly lag: bigint;
}

/** Read only: it joins no group of a service, and moves no position. */
export interface Inspector extends AsyncDisposable {
  /** By name. */
  topics(options?: Abortable): Promise<TopicSummary[]>;
  /**
   * Shows every message the topics hold at the time of the call, in order within a partition, and ends: what is published
   * meanwhile is not waited for. Holds one fetch at a time; what `visit` keeps is its own.
   */
  read(topics: readonly string[], visit: (entry: LogEntry) => void, options?: Abortable): Promise<void>;
  /** By topic, group and partition, for those of `topics` that groups read; `not_found` where a topic does not exist. */
  lag(topics: readonly string[], options?: Abortable): Promise<GroupLag[]>;
}
