import { randomUUID } from "node:crypto";
import type { Broker, Delivery, Handler, SubscribeOptions } from "../broker.ts";
import { createMessage, type Message } from "../message.ts";

/**
 * A feature that an adapter does not have. Its cases are skipped by name, with this reason. They
 * never count as passed.
 */
export interface Off {
  readonly off: string;
}

/**
 * The promises of an adapter beyond the core. Every field is required, so that none is left out by
 * mistake.
 */
export interface Features {
  /** Order per key. */
  readonly ordered: true | Off;
  /** Messages and acknowledgements outlive every open broker. */
  readonly persistent: true | Off;
  /** The size limit that `open` sets. Larger messages are rejected. */
  readonly maxMessageBytes: number | Off;
  /** Breaks every connection to the engine once, like a failing network. */
  readonly breakConnections: (() => Promise<void>) | Off;
}

/** A promise of the port. The name states the promise, and `run` fails if it is broken. */
export interface Case {
  readonly name: string;
  readonly needs?: keyof Features;
  readonly run: (context: TestContext) => Promise<void>;
}

/**
 * The brokers of one case, over one engine, and names that no other case uses. Disposing closes
 * every broker opened.
 */
export class TestContext implements AsyncDisposable {
  readonly features: Features;
  readonly #open: () => Promise<Broker>;
  readonly #opened: Broker[] = [];

  constructor(features: Features, open: () => Promise<Broker>) {
    this.features = features;
    this.#open = open;
  }

  async open(): Promise<Broker> {
    const broker = await this.#open();
    this.#opened.push(broker);
    return broker;
  }

  /** Opens a broker and creates a topic on it. */
  async topic(partitions = 4): Promise<{ broker: Broker; topic: string }> {
    const broker = await this.open();
    const topic = unique("topic");
    await broker.createTopics([topic], { partitions });
    return { broker, topic };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#opened.map((broker) => broker[Symbol.asyncDispose]()));
  }
}

/**
 * The deliveries that one or several members have handled, in the order of their acknowledgement.
 */
export class Received {
  readonly deliveries: Delivery[] = [];

  /** Returns a handler that acknowledges every message, at once or after `work`. */
  handler(work?: (delivery: Delivery) => Promise<void> | void): Handler {
    return async (delivery) => {
      await work?.(delivery);
      this.deliveries.push(delivery);
    };
  }

  get ids(): string[] {
    return this.deliveries.map((delivery) => delivery.message.id);
  }

  has(message: Message): boolean {
    return this.deliveries.some((delivery) => delivery.message.id === message.id);
  }

  /** Waits until every one of `messages` was handled at least once. */
  async all(messages: readonly Message[]): Promise<void> {
    await eventually(() => {
      const ids = new Set(this.ids);
      return messages.every((message) => ids.has(message.id));
    }, `${messages.length} messages`);
  }

  /** Returns the ids of one key, each at its first delivery. */
  order(key: string): string[] {
    return [...new Set(this.deliveries.filter((d) => d.message.key === key).map((d) => d.message.id))];
  }
}

export const group = (name: string, options: Partial<SubscribeOptions> = {}): SubscribeOptions => ({
  group: name,
  concurrency: 8,
  backoff: { baseMs: 5, maxMs: 50 },
  ...options,
});

export function unique(prefix: string): string {
  return `${prefix}-${randomUUID().slice(0, 13)}`;
}

/** Returns `count` messages over `keys` keys in turn. */
export function messages(count: number, keys = 5): Message[] {
  return Array.from({ length: count }, (_, i) => message(`key-${i % keys}`, String(i)));
}

export function message(key: string, text = "text"): Message {
  return createMessage({
    source: "/plumbline/conformance",
    type: "conformance.v1.Happened",
    key,
    contentType: "text/plain",
    data: Buffer.from(text),
  });
}

/** Waits for a condition. Fails after 30 s and names the condition. */
export async function eventually(condition: () => boolean, what: string): Promise<void> {
  const end = performance.now() + 30_000;
  while (!condition()) {
    if (performance.now() > end) throw new Error(`still waiting for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** Returns a promise and its resolver, for a handler to wait at. */
export function gate(): { readonly passed: Promise<void>; open(): void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { passed: promise, open: resolve };
}
