import { descriptorSet, FulfilmentService, fulfilmentEvents, ordersEvents } from "@plumbline/contracts";
import { accessRulesOf } from "@plumbline/contracts/access";
import {
  type Broker,
  deadTopic,
  type Handler,
  type Message,
  openMemoryBroker,
  retryAndDeadLetterTopics,
  subscribeWithRetries,
} from "@plumbline/messaging";
import { type Client, connect, createClient, serve } from "@plumbline/rpc";
import { type QuoteEvent, type Supplier, startSupplier } from "@plumbline/supplier";
import { noTelemetry, type Telemetry } from "@plumbline/telemetry";
import { eventually } from "@plumbline/tools-engines";
import { createApp } from "../src/app.ts";
import { group, toMessage } from "../src/event-messages.ts";
import { drawLabel } from "../src/labels/draw-label.ts";
import { MemoryFulfilments } from "../src/memory/fulfilments.ts";
import { askSuppliersOverHttp } from "../src/suppliers/ask-suppliers.ts";
import type { Fulfilments } from "../src/use-cases/ports.ts";

export interface TestContextOptions {
  /** Attempts in place. Many by default, so that a test decides when an order succeeds. */
  readonly attempts?: number;
  readonly retryDelaysMs?: readonly number[];
  readonly concurrency?: number;
  /** Wraps the service's handler, inside the retries. */
  readonly around?: (next: Handler) => Handler;
  readonly telemetry?: Telemetry;
  /** The peers that are believed about who calls. */
  readonly principalPeers?: string;
}

/** The whole service over a store, with a broker, a supplier over HTTP and a client over gRPC. */
export interface TestContext extends AsyncDisposable {
  readonly supplier: Supplier;
  /** The quotes that the supplier was asked for, and their results. */
  readonly quotes: readonly QuoteEvent[];
  publish(...messages: readonly Message[]): Promise<void>;
  /** Returns the events published for an order so far. */
  answersOf(orderId: string): readonly Message[];
  /** Resolves with the first event published for an order. */
  answer(orderId: string): Promise<Message>;
  /** The dead letters. */
  readonly dead: readonly Message[];
  readonly client: Client<typeof FulfilmentService>;
}

/** Opens a store whose events reach the broker. */
export type OpenStore = (
  broker: Broker,
  telemetry: Telemetry,
) => Promise<AsyncDisposable & { readonly fulfilments: Fulfilments }>;

export const memoryStore: OpenStore = async (broker) => {
  const sending: Promise<void>[] = [];
  const fulfilments = new MemoryFulfilments((fulfilment) => {
    const message = toMessage(fulfilment);
    if (message !== undefined) sending.push(broker.publish(fulfilmentEvents.topic, [message]));
  });
  return { fulfilments, [Symbol.asyncDispose]: async () => void (await Promise.all(sending)) };
};

export async function openTestContext(openStore: OpenStore, options: TestContextOptions = {}): Promise<TestContext> {
  const {
    attempts = 1_000,
    retryDelaysMs = [],
    concurrency = 4,
    around = (next) => next,
    telemetry = noTelemetry,
    principalPeers,
  } = options;
  await using opened = new AsyncDisposableStack();

  const broker = opened.use(openMemoryBroker());
  const topics = [
    ordersEvents.topic,
    fulfilmentEvents.topic,
    ...retryAndDeadLetterTopics(ordersEvents.topic, group, retryDelaysMs),
  ];
  await broker.createTopics(topics, { partitions: 2 });
  const { fulfilments } = opened.use(await openStore(broker, telemetry));
  const quotes: QuoteEvent[] = [];
  const supplier = opened.use(await startSupplier({ port: 0, graceMs: 0, onQuote: (event) => quotes.push(event) }));

  const app = createApp(
    {
      fulfilments,
      askSuppliers: askSuppliersOverHttp(
        { url: supplier.url, concurrency: 8, timeoutMs: 10_000, traceContext: true },
        telemetry,
      ),
      drawLabel,
    },
    telemetry,
  );

  const answers: Message[] = [];
  const dead: Message[] = [];
  const collect = (topic: string, into: Message[]) =>
    broker.subscribe(topic, async ({ message }) => void into.push(message), { group: "test", concurrency: 1 });
  opened.use(await collect(fulfilmentEvents.topic, answers));
  opened.use(await collect(deadTopic(ordersEvents.topic, group), dead));
  const subscription = { group, concurrency, retries: { attempts, baseMs: 2, maxMs: 10 }, retryDelaysMs };
  opened.use(await subscribeWithRetries(broker, ordersEvents.topic, around(app.onOrderEvent), telemetry, subscription));

  const server = opened.use(
    await serve(
      { services: [app.service], telemetry: noTelemetry, access: () => accessRulesOf(descriptorSet) },
      { host: "127.0.0.1", port: 0, graceMs: 1_000, principalPeers },
    ),
  );
  const channel = opened.use(await connect(`ipv4:127.0.0.1:${server.port}`, noTelemetry));

  const answersOf = (orderId: string) => answers.filter(({ key }) => key === orderId);
  const owned = opened.move();
  return {
    supplier,
    quotes,
    dead,
    answersOf,
    client: createClient(FulfilmentService, channel, { timeoutMs: 10_000 }),
    publish: (...messages) => broker.publish(ordersEvents.topic, messages),
    answer: async (orderId) => {
      const [first] = await eventually(
        () => answersOf(orderId),
        (all) => all.length > 0,
      );
      return first as Message;
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
