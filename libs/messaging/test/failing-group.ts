import { ServiceError } from "@plumbline/errors";
import { noTelemetry } from "@plumbline/telemetry";
import { testDatabase, testKafka, whyNoKafka } from "@plumbline/tools-engines";
import type { Broker, Delivery } from "../src/broker.ts";
import { unique } from "../src/conformance/test-context.ts";
import { type BrokerOptions, connectBroker } from "../src/connect-broker.ts";
import type { DeadLetterFilter } from "../src/dead-letters/find.ts";
import type { Inspector } from "../src/inspect/inspector.ts";
import { type InspectorOptions, openInspector } from "../src/inspect/open-inspector.ts";
import { type KafkaClientName, kafkaClients } from "../src/kafka/options.ts";
import { subscribeWithRetries } from "../src/subscribe-with-retries.ts";
import { retryAndDeadLetterTopics } from "../src/topics.ts";

interface Connection {
  readonly broker: BrokerOptions;
  readonly inspector: InspectorOptions;
}

/** The adapters that have an inspector, and how to reach an engine of each. */
export const adapters: readonly {
  readonly adapter: string;
  readonly skip: string | false;
  readonly connect: (stack: AsyncDisposableStack) => Promise<Connection>;
}[] = [
  { adapter: "postgres", skip: false, connect: connectPostgres },
  ...kafkaClients.map((client) => ({
    adapter: `Kafka through ${client}`,
    skip: whyNoKafka() ?? (false as const),
    connect: async () => await connectKafka(client),
  })),
];

async function connectPostgres(stack: AsyncDisposableStack): Promise<Connection> {
  const { url } = stack.use(await testDatabase());
  return { broker: { adapter: "postgres", postgres: { url } }, inspector: { adapter: "postgres", url } };
}

async function connectKafka(client: KafkaClientName): Promise<Connection> {
  const brokers = (await testKafka()).split(",");
  const kafka = { client, brokers, clientId: "test", sessionMs: 6_000 };
  return { broker: { adapter: "kafka", kafka }, inspector: { adapter: "kafka", client, brokers } };
}

/** A filter for the dead letters of a topic that were not replayed. */
export function lettersOf(topic: string, more: Partial<DeadLetterFilter> = {}): DeadLetterFilter {
  return { topic, limit: 100, replayed: false, ...more };
}

/** A broker and an inspector of one engine. */
export class Engine implements AsyncDisposable {
  readonly broker: Broker;
  readonly inspector: Inspector;
  readonly #stack: AsyncDisposableStack;

  private constructor(broker: Broker, inspector: Inspector, stack: AsyncDisposableStack) {
    this.broker = broker;
    this.inspector = inspector;
    this.#stack = stack;
  }

  static async open(connect: (stack: AsyncDisposableStack) => Promise<Connection>): Promise<Engine> {
    await using stack = new AsyncDisposableStack();
    const connection = await connect(stack);
    const broker = stack.use(await connectBroker(connection.broker, noTelemetry));
    const inspector = stack.use(await openInspector(connection.inspector, noTelemetry));
    return new Engine(broker, inspector, stack.move());
  }

  /**
   * Creates topics and waits until they can be read. Before that, Kafka may store a part of a batch
   * and fail, and the retry stores that part twice.
   */
  async createTopics(topics: readonly string[]): Promise<void> {
    await this.broker.createTopics(topics, { partitions: 3 });
    await this.untilReadable(topics);
  }

  async untilReadable(topics: readonly string[]): Promise<void> {
    const read = () => this.inspector.read(topics, () => undefined);
    const readable = () =>
      read().then(
        () => true,
        () => false,
      );
    await until(readable, "the topics can be read");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }
}

/**
 * A topic whose group "worker" fails permanently on the messages in `failing` and handles all
 * others.
 */
export class FailingGroup implements AsyncDisposable {
  readonly topic = unique("orders.events");
  readonly failing = new Set<string>();
  readonly deliveries: Delivery[] = [];
  #subscription: AsyncDisposable | undefined;

  static async start(engine: Engine, retryDelaysMs: readonly number[]): Promise<FailingGroup> {
    const group = new FailingGroup();
    await engine.createTopics([group.topic, ...retryAndDeadLetterTopics(group.topic, "worker", retryDelaysMs)]);
    const options = { group: "worker", concurrency: 4, retries: { attempts: 1, baseMs: 1, maxMs: 1 }, retryDelaysMs };
    const handler = async (delivery: Delivery): Promise<void> => {
      group.deliveries.push(delivery);
      if (group.failing.has(delivery.message.id)) throw new ServiceError("invalid_argument", "no such item");
    };
    group.#subscription = await subscribeWithRetries(engine.broker, group.topic, handler, noTelemetry, options);
    return group;
  }

  deliveriesOf({ id }: { readonly id: string }): Delivery[] {
    return this.deliveries.filter(({ message }) => message.id === id);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#subscription?.[Symbol.asyncDispose]();
  }
}

/** Waits for a condition. Fails after a minute and names the condition. */
export async function until(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const end = performance.now() + 60_000;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`waited a minute until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
