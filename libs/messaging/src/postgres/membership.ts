import type { Queryable } from "@plumbline/postgres";
import { Assignment, type Consumer } from "../consuming/assignment.ts";
import { fetchFrom } from "./fetch.ts";
import type { GroupShare } from "./group-share.ts";

interface Owned {
  readonly assignment: Assignment;
  committed: bigint;
  /** Nothing was left at the last fetch, and nothing has been notified since. */
  drained: boolean;
  /** Set once it is to be handed over. */
  stopping?: Promise<void>;
  stopped: boolean;
}

/** The partitions one member holds during one session: takes its share, hands over the surplus, fetches, commits. */
export class Member {
  readonly #consumer: Consumer;
  readonly #session: Queryable;
  readonly #share: GroupShare;
  readonly #owned = new Map<number, Owned>();

  constructor(consumer: Consumer, session: Queryable, share: GroupShare) {
    this.#consumer = consumer;
    this.#session = session;
    this.#share = share;
  }

  /** Nothing is held: what there is to commit may be the last for long. */
  get isIdle(): boolean {
    const { places, capacity } = this.#consumer.backlog;
    return places.available === capacity;
  }

  /** New messages may be there, of any partition. */
  look(): void {
    for (const owned of this.#owned.values()) owned.drained = false;
  }

  async balance(): Promise<void> {
    const { quota, free } = await this.#share.look();
    const handling = [...this.#owned.values()].filter(({ stopping }) => stopping === undefined);
    for (const surplus of handling.slice(quota)) void this.#stop(surplus);
    for (const partition of free.slice(0, Math.max(0, quota - this.#owned.size))) await this.#claim(partition);
  }

  /** Lets go of what has stopped: commits first, then releases, then tells. */
  async handOver(): Promise<void> {
    const stopped = [...this.#owned.values()].filter((owned) => owned.stopped);
    if (stopped.length === 0) return;
    await this.commit();
    for (const { assignment } of stopped) {
      await this.#share.release(assignment.partition);
      this.#owned.delete(assignment.partition);
    }
    await this.#share.tell();
  }

  /** Stores how far this member came, in all its partitions at once. */
  async commit(): Promise<void> {
    const moved = [...this.#owned.values()].filter((owned) => owned.assignment.committable > owned.committed);
    if (moved.length === 0) return;
    const positions = new Map(moved.map(({ assignment }) => [assignment.partition, assignment.committable]));
    await this.#share.commit(positions);
    for (const owned of moved) owned.committed = positions.get(owned.assignment.partition) ?? owned.committed;
  }

  /** Fetches where there are places for it. False where nothing was left to fetch, or no place to put it. */
  async fetch(): Promise<boolean> {
    const { backlog, topic } = this.#consumer;
    const wanting = [...this.#owned.values()].filter(({ stopping, drained }) => stopping === undefined && !drained);
    const places = backlog.places.available;
    // While every slot is busy by halves: a fetch per handled message would be as many round trips as messages.
    const enough = backlog.slots.available > 0 ? 1 : backlog.capacity / 2;
    if (wanting.length === 0 || places < enough) return false;
    const asked = wanting.slice(0, places);
    const limit = Math.floor(places / asked.length);
    const positions = new Map(asked.map(({ assignment }) => [assignment.partition, assignment.position]));
    const fetched = await fetchFrom(this.#session, topic, positions, limit);
    for (const owned of asked) {
      const { partition } = owned.assignment;
      const found = fetched.filter((one) => one.partition === partition);
      owned.drained = found.length < limit;
      for (const { offset, message } of found) this.#add(owned, offset, message);
      // To the end of the line, so that with few places every partition has its turn.
      this.#owned.delete(partition);
      this.#owned.set(partition, owned);
    }
    return true;
  }

  /** Waits for running handlers, within their bound, and commits what they did. */
  async leave(): Promise<void> {
    await Promise.all([...this.#owned.values()].map((owned) => this.#stop(owned)));
    await this.handOver();
    await this.#share.leave();
  }

  /** The session is gone, and every lock with it: from now on another member may handle the same messages. */
  async lose(reason: unknown): Promise<void> {
    await Promise.all([...this.#owned.values()].map(({ assignment }) => assignment.lose(reason)));
  }

  #add(owned: Owned, offset: bigint, message: Parameters<Assignment["add"]>[1]): void {
    const place = this.#consumer.backlog.places.tryAcquire();
    if (place === undefined) throw new Error("fetched more than there were places for");
    owned.assignment.add(offset, message, place);
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
