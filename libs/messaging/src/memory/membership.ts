import type { Consumer } from "../consuming/assignment.ts";
import { Assignment } from "../consuming/assignment.ts";
import { takePlace } from "../consuming/backlog.ts";
import type { MemoryLog } from "./log.ts";

/** A subscription, as its group sees it. */
export type Member = Omit<Consumer, "onProgress">;

/**
 * The members of one group and the partitions they share: partition p belongs to member p modulo
 * the number of members. When the members change, a partition moves only after its old owner's
 * running handlers have ended.
 */
export class MemoryGroup {
  readonly #log: MemoryLog;
  readonly #topic: string;
  readonly #group: string;
  readonly #members: Member[] = [];
  readonly #owned = new Map<number, { readonly member: Member; readonly assignment: Assignment }>();
  readonly #watching: Disposable;
  #assigned: Promise<void> = Promise.resolve();

  constructor(log: MemoryLog, topic: string, group: string) {
    this.#log = log;
    this.#topic = topic;
    this.#group = group;
    this.#watching = log.watch(() => {
      if (this.#owned.size < log.partitions(topic)) void this.#reassign();
      this.#fill();
    });
  }

  join(member: Member): Promise<void> {
    this.#members.push(member);
    return this.#reassign();
  }

  leave(member: Member): Promise<void> {
    const index = this.#members.indexOf(member);
    if (index >= 0) this.#members.splice(index, 1);
    return this.#reassign();
  }

  get isEmpty(): boolean {
    return this.#members.length === 0;
  }

  [Symbol.dispose](): void {
    this.#watching[Symbol.dispose]();
  }

  /** Reassigns partitions, one change after another. */
  #reassign(): Promise<void> {
    this.#assigned = this.#assigned.then(async () => {
      const partitions = Array.from({ length: this.#log.partitions(this.#topic) }, (_, partition) => partition);
      await Promise.all(partitions.map((partition) => this.#handOver(partition)));
      this.#fill();
    });
    return this.#assigned;
  }

  async #handOver(partition: number): Promise<void> {
    const wanted = this.#members[partition % this.#members.length];
    const owned = this.#owned.get(partition);
    if (owned?.member === wanted) return;
    if (owned !== undefined) {
      this.#owned.delete(partition);
      await owned.assignment.stop();
      this.#commit(owned.assignment);
    }
    if (wanted === undefined || !this.#members.includes(wanted)) return;
    const onProgress = (): void => {
      this.#commit(assignment);
      this.#fill();
    };
    const position = this.#log.committed(this.#topic, this.#group, partition);
    const assignment: Assignment = new Assignment({ ...wanted, onProgress }, partition, position);
    this.#owned.set(partition, { member: wanted, assignment });
  }

  #commit({ partition, committable }: Assignment): void {
    // A position never decreases: an abandoned owner may report late.
    if (committable <= this.#log.committed(this.#topic, this.#group, partition)) return;
    this.#log.commit(this.#topic, this.#group, partition, committable);
  }

  /**
   * Adds as many messages as there are permits for, one per partition in turn, so that no partition
   * starves another.
   */
  #fill(): void {
    const open = new Set(this.#owned.values());
    while (open.size > 0) {
      for (const owned of open) {
        const next = this.#log.read(this.#topic, owned.assignment.partition, owned.assignment.position);
        const permit = next && takePlace(owned.member.backlog);
        if (next === undefined || permit === undefined) open.delete(owned);
        else owned.assignment.add(next.offset, next.message, permit);
      }
    }
  }
}
