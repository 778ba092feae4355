import { type Abortable, background, Event, onAbort } from "@plumbline/concurrency";
import type { Database } from "@plumbline/postgres";
import type { Consumer } from "../consuming/assignment.ts";
import { type HeldSession, holdSession } from "../hold-session.ts";
import { GroupShare } from "./group-share.ts";
import { Member } from "./membership.ts";
import type { Topics } from "./topics.ts";

/** The intervals and time limits of a subscription. */
export interface SubscriptionTimes {
  /** The interval of polling for messages and members, in case a notification is lost. */
  readonly pollMs: number;
  /**
   * The shortest time between two commits while messages keep arriving. An idle member commits at
   * once.
   */
  readonly commitMs: number;
  /** The time limit of each statement. After it the connection counts as lost. */
  readonly statementMs: number;
  /**
   * The time for which other sessions may keep the partitions of a subscription before it is stuck.
   * Default: 30 s.
   */
  readonly stuckMs: number;
}

/**
 * A subscription: a loop with a database session and a share of the partitions. When the session
 * ends, running handlers are aborted, because other members may have taken over. The loop then
 * starts again with a new session.
 */
export class Subscription implements AsyncDisposable {
  readonly #database: Database;
  readonly #topics: Topics;
  readonly #consumer: Consumer;
  readonly #times: SubscriptionTimes;
  readonly #work = new Event();
  readonly #running: AsyncDisposable;
  #member: Member | undefined;
  #membersChanged = true;
  #messagesArrived = true;

  constructor(database: Database, topics: Topics, consumer: Omit<Consumer, "onProgress">, times: SubscriptionTimes) {
    this.#database = database;
    this.#topics = topics;
    this.#consumer = { ...consumer, onProgress: () => this.#work.set() };
    this.#times = times;
    this.#running = background((closing) => this.#run(closing));
  }

  get topic(): string {
    return this.#consumer.topic;
  }

  /** True while other sessions keep the partitions that this member should have. */
  get isStuck(): boolean {
    return (this.#member?.shortMs ?? 0) >= this.#times.stuckMs;
  }

  onMessages(): void {
    this.#messagesArrived = true;
    this.#work.set();
  }

  onMembers(): void {
    this.#membersChanged = true;
    this.#work.set();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#running[Symbol.asyncDispose]();
  }

  async #run(closing: AbortSignal): Promise<void> {
    const { logger, options } = this.#consumer;
    using _ = onAbort(closing, () => this.#work.set());
    await holdSession(this.#database, (session) => this.#consume(session, closing), {
      closing,
      statementMs: this.#times.statementMs,
      onLost: (error, attempt) => {
        logger.warn("subscription interrupted; reconnecting", {
          topic: this.topic,
          group: options.group,
          error: String(error),
          attempt,
        });
      },
    });
  }

  async #consume(session: HeldSession, closing: AbortSignal): Promise<void> {
    const { topic, options } = this.#consumer;
    const partitions = await this.#partitions(session, closing);
    if (partitions === undefined) return;
    const share = await GroupShare.join(session, topic, options.group, partitions);
    const member = new Member(this.#consumer, session, share);
    this.#member = member;
    using _lost = onAbort(session.signal, () => void member.lose(session.signal.reason));
    try {
      await this.#serve(member, session, closing);
      await member.leave();
    } catch (error) {
      await member.lose(error);
      throw error;
    }
  }

  /**
   * Waits until the topic exists and returns its number of partitions. Returns undefined if the
   * subscription closes first.
   */
  async #partitions(session: HeldSession, closing: AbortSignal): Promise<number | undefined> {
    while (!closing.aborted) {
      const topic = await this.#topics.find(this.topic, session);
      if (topic !== undefined) return topic.partitions;
      await this.#work.wait({ ms: this.#times.pollMs, signal: session.signal });
    }
    return undefined;
  }

  async #serve(member: Member, session: Abortable, closing: AbortSignal): Promise<void> {
    const { pollMs, commitMs } = this.#times;
    let [polled, committed] = [Number.NEGATIVE_INFINITY, 0];
    while (!closing.aborted) {
      const now = performance.now();
      if (this.#membersChanged || now - polled >= pollMs) {
        if (now - polled >= pollMs) this.#messagesArrived = true;
        this.#membersChanged = false;
        polled = now;
        await member.balance();
      }
      if (this.#messagesArrived) {
        this.#messagesArrived = false;
        member.expectMessages();
      }
      await member.handOver();
      const fetched = await member.fetch();
      if (member.isIdle || performance.now() - committed >= commitMs) {
        await member.commit();
        committed = performance.now();
      }
      if (!fetched) await this.#work.wait({ ms: member.isIdle ? pollMs : commitMs, signal: session.signal });
    }
  }
}
