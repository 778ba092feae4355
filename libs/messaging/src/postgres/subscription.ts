import { type Abortable, onAbort } from "@plumbline/concurrency";
import type { Database } from "@plumbline/postgres";
import type { Consumer } from "../consuming/assignment.ts";
import { type HeldSession, holdSession } from "../hold-session.ts";
import { Wake } from "../wake.ts";
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
  readonly #wake = new Wake();
  readonly #closing = new AbortController();
  readonly #ended: Promise<void>;
  #membersChanged = true;
  #messagesCame = true;

  constructor(database: Database, topics: Topics, consumer: Omit<Consumer, "onProgress">, times: SubscriptionTimes) {
    this.#database = database;
    this.#topics = topics;
    this.#consumer = { ...consumer, onProgress: () => this.#wake.ring() };
    this.#times = times;
    this.#ended = this.#run();
  }

  get topic(): string {
    return this.#consumer.topic;
  }

  onMessages(): void {
    this.#messagesCame = true;
    this.#wake.ring();
  }

  onMembers(): void {
    this.#membersChanged = true;
    this.#wake.ring();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    this.#wake.ring();
    await this.#ended;
  }

  #run(): Promise<void> {
    const { logger, options } = this.#consumer;
    return holdSession(this.#database, (session) => this.#consume(session), {
      closing: this.#closing.signal,
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

  async #consume(session: HeldSession): Promise<void> {
    const { topic, options } = this.#consumer;
    const partitions = await this.#partitions(session);
    if (partitions === undefined) return;
    const share = await GroupShare.join(session, topic, options.group, partitions);
    const member = new Member(this.#consumer, session, share);
    using _lost = onAbort(session.signal, () => void member.lose(session.signal.reason));
    try {
      await this.#serve(member, session);
      await member.leave();
    } catch (error) {
      await member.lose(error);
      throw error;
    }
  }

  /** Waits for the topic; undefined where the subscription closed before. */
  async #partitions(session: HeldSession): Promise<number | undefined> {
    while (!this.#closing.signal.aborted) {
      const topic = await this.#topics.find(this.topic, session);
      if (topic !== undefined) return topic.partitions;
      await this.#wake.wait(this.#times.pollMs, session);
    }
    return undefined;
  }

  async #serve(member: Member, session: Abortable): Promise<void> {
    const { pollMs, commitMs } = this.#times;
    let [polled, committed] = [Number.NEGATIVE_INFINITY, 0];
    while (!this.#closing.signal.aborted) {
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
      if (!fetched) await this.#wake.wait(member.isIdle ? pollMs : commitMs, session);
    }
  }
}
