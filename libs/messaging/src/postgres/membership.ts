import type { Queryable } from "@plumbline/postgres";
import { Assignment, type Consumer } from "../consuming/assignment.ts";
import { placesOf } from "../consuming/backlog.ts";
import { fetchFrom } from "./fetch.ts";
import type { GroupShare } from "./group-share.ts";

/** The most messages of one fetch, which are held whatever their bytes are. */
const largestFetch = 64;

/** A partition that this member owns. */
interface Owned {
  readonly assignment: Assignment;
  committed: bigint;
  /** True if the last fetch found no more messages and no notification has arrived since. */
  drained: boolean;
  /** Set once the partition must be handed over. */
  stopping?: Promise<void>;
  stopped: boolean;
}

/**
 * The partitions of one member during one session. Takes its share, hands over the surplus, fetches
 * and commits.
 */
export class Member {
  readonly #consumer: Consumer;
  readonly #session: Queryable;
  readonly #share: GroupShare;
  readonly #owned = new Map<number, Owned>();
  #shortSince: number | undefined;

  constructor(consumer: Consumer, session: Queryable, share: GroupShare) {
    this.#consumer = consumer;
    this.#session = session;
    this.#share = share;
  }

  /** True if no message is held. The next progress may be far away, so it is time to commit. */
  get isIdle(): boolean {
    const { permits, capacity } = this.#consumer.backlog;
    return permits.available === capacity;
  }

  /**
   * The milliseconds for which this member has had fewer partitions than its part of them, because
   * other sessions keep them.
   */
  get shortMs(): number {
    return this.#shortSince === undefined ? 0 : performance.now() - this.#shortSince;
  }

  /** Marks every partition as one that may have new messages. */
  expectMessages(): void {
    for (const owned of this.#owned.values()) owned.drained = false;
  }

  async balance(): Promise<void> {
    const { quota, free } = await this.#share.read();
    const handling = [...this.#owned.values()].filter(({ stopping }) => stopping === undefined);
    for (const surplus of handling.slice(quota)) void this.#stop(surplus);
    for (const partition of free.slice(0, Math.max(0, quota - this.#owned.size))) await this.#claim(partition);
    this.#shortSince = this.#owned.size < quota ? (this.#shortSince ?? performance.now()) : undefined;
  }

  /** Hands over the stopped partitions: commits, releases their locks, then notifies the others. */
  async handOver(): Promise<void> {
    const stopped = [...this.#owned.values()].filter((owned) => owned.stopped);
    if (stopped.length === 0) return;
    await this.commit();
    for (const { assignment } of stopped) {
      await this.#share.release(assignment.partition);
      this.#owned.delete(assignment.partition);
    }
    await this.#share.notify();
  }

  /** Commits this member's positions in all its partitions at once. */
  async commit(): Promise<void> {
    const moved = [...this.#owned.values()].filter((owned) => owned.assignment.committable > owned.committed);
    if (moved.length === 0) return;
    const positions = new Map(moved.map(({ assignment }) => [assignment.partition, assignment.committable]));
    await this.#share.commit(positions);
    for (const owned of moved) owned.committed = positions.get(owned.assignment.partition) ?? owned.committed;
  }

  /**
   * Fetches as many messages as there are permits for. Returns false if no partition has more
   * messages or no permit is free.
   */
  async fetch(): Promise<boolean> {
    const { backlog, topic } = this.#consumer;
    const wanting = [...this.#owned.values()].filter(({ stopping, drained }) => stopping === undefined && !drained);
    const permits = Math.min(placesOf(backlog), largestFetch);
    // While every slot is busy, waits until half a fetch is free. A fetch per handled
    // message would cost as many round trips as there are messages.
    const enough = backlog.slots.available > 0 ? 1 : Math.min(largestFetch, backlog.capacity) / 2;
    if (wanting.length === 0 || permits < enough) return false;
    const asked = wanting.slice(0, permits);
    const limit = Math.floor(permits / asked.length);
    const positions = new Map(asked.map(({ assignment }) => [assignment.partition, assignment.position]));
    const fetched = await fetchFrom(this.#session, topic, positions, limit);
    for (const owned of asked) {
      const { partition } = owned.assignment;
      const found = fetched.filter((one) => one.partition === partition);
      owned.drained = found.length < limit;
      for (const { offset, message } of found) this.#add(owned, offset, message);
      // Moves the partition to the end, so that each has its turn when permits are few.
      this.#owned.delete(partition);
      this.#owned.set(partition, owned);
    }
    return true;
  }

  /** Waits for running handlers within their time limit and commits what they handled. */
  async leave(): Promise<void> {
    await Promise.all([...this.#owned.values()].map((owned) => this.#stop(owned)));
    await this.handOver();
    await this.#share.leave();
  }

  /**
   * Aborts all handlers after the session and its locks are lost. Another member may handle the
   * same messages from now on.
   */
  async lose(reason: unknown): Promise<void> {
    await Promise.all([...this.#owned.values()].map(({ assignment }) => assignment.lose(reason)));
  }

  #add(owned: Owned, offset: bigint, message: Parameters<Assignment["add"]>[1]): void {
    const permit = this.#consumer.backlog.permits.tryAcquire();
    if (permit === undefined) throw new Error("fetched more messages than there are permits for");
    owned.assignment.add(offset, message, permit);
  }

  async #claim(partition: number): Promise<void> {
    const position = await this.#share.claim(partition);
    if (position === undefined) return;
    const assignment = new Assignment(this.#consumer, partition, position);
    this.#owned.set(partition, { assignment, committed: position, drained: false, stopped: false });
  }

  #stop(owned: Owned): Promise<void> {
    owned.stopping ??= owned.assignment.stop().then(() => {
      owned.stopped = true;
      this.#consumer.onProgress();
    });
    return owned.stopping;
  }
}
