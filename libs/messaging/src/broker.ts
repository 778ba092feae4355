import type { Abortable } from "@plumbline/concurrency";
import type { Message } from "./message.ts";

/** One attempt to have a message handled. */
export interface Delivery {
  readonly topic: string;
  readonly group: string;
  readonly message: Message;
  /** 1 for the first; grows while this member keeps the message, and starts again where another member takes over. */
  readonly attempt: number;
  /** Aborts when the outcome no longer counts: the member lost its partition, or its time to close is over. */
  readonly signal: AbortSignal;
}

/** Returning acknowledges the message and throwing asks for it again, so neither can be forgotten. */
export type Handler = (delivery: Delivery) => Promise<void>;

/** A layer around a handler: one concern each, put together by `compose`. */
export type Middleware = (next: Handler) => Handler;

/** `compose([a, b], handler)` is `a(b(handler))`: the first sees a delivery first and its outcome last. */
export function compose(middlewares: readonly Middleware[], handler: Handler): Handler {
  return middlewares.reduceRight((next, middleware) => middleware(next), handler);
}

export interface Publisher {
  /**
   * Resolves once the broker has accepted all messages and keeps them; messages of one key stay in the order given.
   * A rejection means that none, some or all may have been accepted: publish again with the same ids.
   * `not_found`: no such topic. `invalid_argument`: a message over the limit, and then none is sent. `unavailable`.
   */
  publish(topic: string, messages: readonly Message[], options?: Abortable): Promise<void>;
}

export interface SubscribeOptions {
  /** Members of a group share a topic's messages; each group gets all of them. A group is a service's name. */
  readonly group: string;
  /** Handlers running at once, over all keys; one key never has more than one. */
  readonly concurrency: number;
  /** Messages this member holds at once, running and waiting: the bound of its memory. Default 4 x concurrency, at least 32. */
  readonly capacity?: number | undefined;
  /** How long closing waits for running handlers before it aborts their signal and leaves them. Default 8 s. */
  readonly closeMs?: number | undefined;
  /** Pause before a message whose handler threw is delivered again: full jitter between zero and a doubling bound. */
  readonly backoff?: { readonly baseMs: number; readonly maxMs: number } | undefined;
}

export interface Subscriber {
  /**
   * Handles the topic's messages until the subscription is disposed. At least once, in order per key. A new group
   * starts at the oldest message kept. A topic that does not exist yet is waited for. A broker that cannot be reached
   * is waited for too: `subscribe` resolves, and messages flow when it returns.
   *
   * Disposing takes no new message, waits for running handlers, stores how far the group came, and hands over.
   */
  subscribe(topic: string, handler: Handler, options: SubscribeOptions): Promise<AsyncDisposable>;
}

export interface TopicOptions {
  /** How far a topic can be shared out within a group. Fixed at creation: another number would reorder keys. */
  readonly partitions: number;
  /** How long messages are kept, handled or not. Default 7 days. */
  readonly retentionMs?: number | undefined;
}

/** Closing a broker closes its subscriptions; afterwards every call is refused with `failed_precondition`. */
export interface Broker extends Publisher, Subscriber, AsyncDisposable {
  /** Resolves when the broker answers; `unavailable` otherwise. */
  ping(options?: Abortable): Promise<void>;
  /** Creates what is missing and leaves an existing topic as it is. */
  createTopics(topics: readonly string[], options: TopicOptions & Abortable): Promise<void>;
  /** How long this topic keeps a message: what an inbox has to outlast. `not_found`: no such topic. */
  retentionMs(topic: string, options?: Abortable): Promise<number>;
}
