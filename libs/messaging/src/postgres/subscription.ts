import { type Abortable, background, Event, onAbort } from "@plumbline/concurrency";
import type { Database } from "@plumbline/postgres";
import type { Consumer } from "../consuming/assignment.ts";
import { type HeldSession, holdSession } from "../hold-session.ts";
import { GroupShare } from "./group-share.ts";
import { Member } from "./membership.ts";
import type { Topics } from "./topics.ts";

export interface SubscriptionTimes {
  /** How often to look for messages and members without having been told: the net below NOTIFY. */
  readonly pollMs: number;
  /** Positions are stored at most this often while messages keep coming, and at once when there are none. */
  readonly commitMs: number;
  /** For each statement; past it the connection counts as lost. */
  readonly statementMs: number;
}

/**
 * One subscription: a loop that has a session with the database and a share of the partitions. When the session ends,
 * running handlers are aborted, as others may have taken over, and the loop begins again with a new one.
 */
export class Subscription implements AsyncDisposable {
  readonly #database: Database;
  readonly #topics: Topics;
  readonly #consumer: Consumer;
  readonly #times: SubscriptionTimes;
  readonly #work = new Event();
  readonly #running: AsyncDisposable;
  #membersChanged = true;
  #messagesCame = true;

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

  onMessages(): void {
    this.#messagesCame = true;
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
        logger.warn("subscription interrupted", {
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
    using _lost = onAbort(session.signal, () => void member.lose(session.signal.reason));
    try {
      await this.#serve(member, session, closing);
      await member.leave();
    } catch (error) {
      await member.lose(error);
      throw error;
    }
  }

  /** Waits for the topic; undefined where the subscription closed before. */
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
        if (now - polled >= pollMs) this.#messagesCame = true;
        this.#membersChanged = false;
        polled = now;
        await member.balance();
      }
      if (this.#messagesCame) {
        this.#messagesCame = false;
        member.look();
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
