import { randomUUID } from "node:crypto";
import type { Broker, Delivery, Handler, SubscribeOptions } from "../broker.ts";
import { createMessage, type Message } from "../message.ts";

/** A feature an adapter does not have. Its cases are skipped by name, with this reason; they never count as passed. */
export interface Off {
  readonly off: string;
}

/** What an adapter promises beyond the core. Every field is named, so that nothing is left out by forgetting it. */
export interface Features {
  /** Order per key. */
  readonly ordered: true | Off;
  /** Messages and acknowledgements outlive every open broker. */
  readonly persistent: true | Off;
  /** The limit `open` sets; larger messages are refused. */
  readonly maxMessageBytes: number | Off;
  /** Cuts every connection to the engine once, as a network would. */
  readonly breakConnections: (() => Promise<void>) | Off;
}

/** One promise of the port: the name is the promise, `run` fails when it is broken. */
export interface Case {
  readonly name: string;
  readonly needs?: keyof Features;
  readonly run: (context: TestContext) => Promise<void>;
}

/** What a case may use: brokers over one engine, and names nobody else has. Disposing closes every broker opened. */
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

  /** A broker and a new topic on it. */
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

/** What one member or several have handled, in the order in which it was acknowledged. */
export class Received {
  readonly deliveries: Delivery[] = [];

  /** A handler that acknowledges everything at once, or after `work`. */
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

  /** The ids of one key, each where it was first handled. */
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

/** `count` messages over `keys` keys, in turn. */
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

/** Waits for a condition, never for a time. Fails after 30 s and says what it waited for. */
export async function eventually(condition: () => boolean, what: string): Promise<void> {
  const end = performance.now() + 30_000;
  while (!condition()) {
    if (performance.now() > end) throw new Error(`still waiting for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** A promise and its resolver: something a handler can wait at. */
export function gate(): { readonly passed: Promise<void>; open(): void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { passed: promise, open: resolve };
}
