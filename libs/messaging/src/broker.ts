import type { Abortable } from "@plumbline/concurrency";
import type { Message } from "./message.ts";

/** An attempt to have a message handled. */
export interface Delivery {
  readonly topic: string;
  readonly group: string;
  readonly message: Message;
  /**
   * Starts at 1 and grows while this member keeps the message. Starts at 1 again if another member
   * takes over.
   */
  readonly attempt: number;
  /**
   * Aborts when the outcome no longer counts: the member lost the partition, or its time to close
   * is over.
   */
  readonly signal: AbortSignal;
}

/**
 * A function that handles one message. Returning acknowledges the message and throwing asks for
 * redelivery, so neither can be forgotten.
 */
export type Handler = (delivery: Delivery) => Promise<void>;

/** A layer around a handler, for one concern. `compose` puts layers together. */
export type Middleware = (next: Handler) => Handler;

/**
 * Returns `a(b(handler))` for `compose([a, b], handler)`. The first layer sees a delivery first and
 * its outcome last.
 */
export function compose(middlewares: readonly Middleware[], handler: Handler): Handler {
  return middlewares.reduceRight((next, middleware) => middleware(next), handler);
}

/** The part of a broker that accepts messages. */
export interface Publisher {
  /**
   * Resolves once the broker has accepted and stored all messages. Messages of one key stay in the
   * given order. After a rejection, none, some or all of them may have been accepted: publish them
   * again with the same ids.
   *
   * Rejects with `not_found` if the topic does not exist, with `invalid_argument` if a message is
   * over the limit (then none is sent), and with `unavailable` if the broker is unreachable.
   */
  publish(topic: string, messages: readonly Message[], options?: Abortable): Promise<void>;
}

/** The settings of one subscription. */
export interface SubscribeOptions {
  /**
   * The group's name, which is the name of a service. The members of a group share the messages of
   * a topic, and each group receives all of them.
   */
  readonly group: string;
  /**
   * The number of handlers that may run at once, over all keys. One key never has more than one.
   * Messages with a share key (`shareHeaders`) are taken fairly by share and cost. One share has at
   * most three quarters of these places.
   */
  readonly concurrency: number;
  /**
   * The number of messages that this member may hold, running and waiting. It bounds the member's
   * memory. Default: 4 x concurrency, at least 32.
   */
  readonly capacity?: number | undefined;
  /**
   * The bytes of held messages from which on this member takes no more. One fetch may exceed it.
   * Default: 32 MiB.
   */
  readonly capacityBytes?: number | undefined;
  /**
   * The time that closing waits for running handlers. After it their signal aborts and they are
   * abandoned. Default: 8 s.
   */
  readonly closeMs?: number | undefined;
  /**
   * The pause before a message is delivered again after its handler threw: a random time between
   * zero and a bound that doubles.
   */
  readonly backoff?: { readonly baseMs: number; readonly maxMs: number } | undefined;
}

/** The part of a broker that delivers messages. */
export interface Subscriber {
  /**
   * Handles the topic's messages until the subscription is disposed: at least once each, and in
   * order per key. A new group starts at the oldest message that the broker keeps.
   *
   * Resolves even if the topic does not exist yet or the broker is unreachable. Messages flow as
   * soon as both are there.
   *
   * Disposing takes no new message, waits for running handlers, commits the group's position and
   * gives the partitions to the other members.
   */
  subscribe(topic: string, handler: Handler, options: SubscribeOptions): Promise<AsyncDisposable>;
}

/** The properties of a new topic. */
export interface TopicOptions {
  /**
   * The number of partitions, which is the most members of a group that can share the topic. It is
   * fixed when the topic is created: another number would reorder keys.
   */
  readonly partitions: number;
  /** The time that messages are kept, handled or not. Default: 7 days. */
  readonly retentionMs?: number | undefined;
}

/**
 * A connection to a messaging system. Disposing it closes its subscriptions. Every later call
 * rejects with `failed_precondition`.
 */
export interface Broker extends Publisher, Subscriber, AsyncDisposable {
  /** Resolves if the broker responds, and rejects with `unavailable` otherwise. */
  ping(options?: Abortable): Promise<void>;
  /**
   * True while messages that keep failing hold every place of a subscription, which then fetches
   * nothing, or while sessions of others keep the partitions that it should have.
   */
  readonly isStuck: boolean;
  /** Creates the topics that are missing and leaves existing ones unchanged. */
  createTopics(topics: readonly string[], options: TopicOptions & Abortable): Promise<void>;
  /**
   * Returns the time that this topic keeps a message. An inbox must keep its records longer.
   * Rejects with `not_found` if the topic does not exist.
   */
  retentionMs(topic: string, options?: Abortable): Promise<number>;
}
