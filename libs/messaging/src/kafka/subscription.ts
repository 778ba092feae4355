import { aborted, background, fullJitter, sleep } from "@plumbline/concurrency";
import type { Logger } from "@plumbline/telemetry";
import type { Handler, SubscribeOptions } from "../broker.ts";
import type { Consumer } from "../consuming/assignment.ts";
import type { Backlog } from "../consuming/backlog.ts";
import type { KafkaClient } from "./client.ts";
import { Membership } from "./membership.ts";

/** The settings of a subscription, and the parts of the broker that it uses. */
export interface SubscriptionOptions {
  readonly client: Pick<KafkaClient, "member">;
  readonly logger: Logger;
  readonly sessionMs: number;
  readonly maxFetchBytes: number;
  readonly giveUpMs: number;
  readonly onGiveUp: (error: Error) => void;
  /** Resolves with true if the topic exists. */
  readonly topicExists: (topic: string) => Promise<boolean>;
}

const restartBackoff = { baseMs: 200, maxMs: 5_000 };
const topicPollMs = 250;
/**
 * A membership that crashes sooner does not count as contact: an unreadable batch crashes each one
 * after its first fetch.
 */
const lastingMs = 30_000;

/**
 * A subscription. Joins the group, joins again with a growing pause after a crash, and waits for a
 * topic that does not exist yet. Replaces a membership that is silent without a crash. After
 * `giveUpMs` without lasting contact it reports that and stops, so that the process does not look
 * healthy while it handles nothing.
 */
export class Subscription implements AsyncDisposable {
  readonly #options: SubscriptionOptions;
  readonly #consumer: Consumer;
  readonly #running: AsyncDisposable;
  #membership: Membership | undefined;
  #lastContact = performance.now();

  constructor(
    topic: string,
    options: SubscribeOptions,
    handler: Handler,
    backlog: Backlog,
    subscription: SubscriptionOptions,
  ) {
    this.#options = subscription;
    this.#consumer = {
      topic,
      options,
      handler,
      backlog,
      logger: subscription.logger,
      onProgress: () => this.#membership?.progress(),
    };
    this.#running = background((closing) => this.#stay(closing));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#running[Symbol.asyncDispose]();
  }

  async #stay(closing: AbortSignal): Promise<void> {
    for (let failures = 0; !closing.aborted; ) {
      try {
        await this.#untilTopicExists(closing);
        const before = this.#lastContact;
        const error = await this.#stayOnce(closing);
        if (error === undefined) return;
        if (this.#lastContact > before) failures = 0;
        throw error;
      } catch (error) {
        if (closing.aborted) return;
        failures++;
        if (!this.#shouldRetry(error)) return;
        await sleep(fullJitter(failures, restartBackoff), { signal: closing }).catch(() => undefined);
      }
    }
  }

  /**
   * Runs one membership. Resolves with the reason of its crash, or with undefined if the
   * subscription closes.
   */
  async #stayOnce(closing: AbortSignal): Promise<Error | undefined> {
    const { client, sessionMs, maxFetchBytes, giveUpMs } = this.#options;
    const joinedAt = performance.now();
    let contactAt = joinedAt;
    const membership = new Membership(client, this.#consumer, {
      sessionMs,
      maxFetchBytes,
      onContact: () => {
        contactAt = performance.now();
        if (contactAt - joinedAt >= Math.min(lastingMs, giveUpMs / 4)) this.#lastContact = contactAt;
      },
    });
    this.#membership = membership;
    const ended = new AbortController();
    try {
      const failed = membership.start().then(
        () => membership.crashed,
        (error: unknown) => (error instanceof Error ? error : new Error(String(error))),
      );
      const closed = aborted(closing).then(() => undefined);
      const silent = silence(giveUpMs / 2, () => contactAt, ended.signal);
      const crash = await Promise.race([failed, closed, silent]);
      if (crash === undefined) {
        await membership.close();
        return undefined;
      }
      await membership.abandon(crash);
      return crash;
    } finally {
      ended.abort();
      this.#membership = undefined;
    }
  }

  #shouldRetry(error: unknown): boolean {
    const { logger, giveUpMs, onGiveUp } = this.#options;
    const { topic, options } = this.#consumer;
    const silentMs = Math.round(performance.now() - this.#lastContact);
    const fields = { topic, group: options.group, silent_ms: silentMs };
    if (silentMs < giveUpMs) {
      logger.warn("subscription interrupted; joining again", { ...fields, error: String(error) });
      return true;
    }
    const failed = new Error(
      `no lasting contact with Kafka for ${silentMs} ms; group ${options.group} stops reading ${topic}`,
      {
        cause: error,
      },
    );
    logger.error("no lasting contact with Kafka; subscription stopped", failed, fields);
    onGiveUp(failed);
    return false;
  }

  async #untilTopicExists(closing: AbortSignal): Promise<void> {
    while (!(await this.#options.topicExists(this.#consumer.topic))) {
      this.#lastContact = performance.now(); // A response is contact.
      await sleep(topicPollMs, { signal: closing });
    }
  }
}

/**
 * Resolves after `ms` without contact: a membership may hang without a crash (tulios/kafkajs#1443).
 */
async function silence(ms: number, contactAt: () => number, signal: AbortSignal): Promise<Error | undefined> {
  for (;;) {
    const leftMs = contactAt() + ms - performance.now();
    if (leftMs <= 0) return new Error(`the membership was silent for ${ms} ms`);
    try {
      await sleep(leftMs, { signal });
    } catch {
      return undefined; // The membership has ended.
    }
  }
}
