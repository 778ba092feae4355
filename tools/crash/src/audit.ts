import { sleep } from "@plumbline/concurrency";
import { OrderFulfilled, OrderRejected } from "@plumbline/contracts";
import { type BrokerOptions, connectBroker, type Message } from "@plumbline/messaging";
import { noTelemetry } from "@plumbline/telemetry";
import { Client } from "pg";

export interface Audit {
  /** Orders in the database whose OrderPlaced nobody published. */
  readonly lost: readonly string[];
  /** Events still in an outbox, with what the broker said if it refused one. */
  readonly unsent: readonly string[];
  /** Events about orders that no database knows. */
  readonly phantom: readonly string[];
  /** Orders with more than one effect: two results in the worker's database, or two different answers. */
  readonly doubled: readonly string[];
}

const quietMs = 1_000;

/** Compares what the databases hold with what the broker carried, from the first message on. */
export async function audit(urls: { orders: string; worker: string }, broker: BrokerOptions): Promise<Audit> {
  const [placed, answered] = await Promise.all([read(broker, "orders.events"), read(broker, "fulfilment.events")]);
  const orders = await column(urls.orders, "SELECT id::text AS value FROM orders");
  const results = await column(urls.worker, "SELECT order_id::text AS value FROM fulfilments");
  const unsentSql = "SELECT format('%s of %s is unsent %s', type, key, refused) AS value FROM outbox";
  const unsent = await Promise.all([column(urls.orders, unsentSql), column(urls.worker, unsentSql)]);
  const known = new Set(orders);
  const announced = new Set(
    placed.filter((message) => message.type === "orders.v1.OrderPlaced").map((message) => message.key),
  );

  const answers = new Map<string, Set<string>>();
  for (const message of answered) {
    const id = (message.type.endsWith("OrderFulfilled") ? OrderFulfilled : OrderRejected).decode(message.data).orderId;
    answers.set(id, (answers.get(id) ?? new Set()).add(message.id));
  }
  return {
    lost: orders.filter((id) => !announced.has(id)),
    unsent: unsent.flat(),
    phantom: [...new Set([...announced, ...answers.keys()])].filter((id) => !known.has(id)),
    doubled: [...repeated(results), ...[...answers].filter(([, ids]) => ids.size > 1).map(([id]) => id)],
  };
}

/** Everything a topic keeps, as a group nobody else has. Ends when nothing came for a second. */
async function read(options: BrokerOptions, topic: string): Promise<Message[]> {
  await using broker = await connectBroker(options, noTelemetry);
  const messages: Message[] = [];
  let last = performance.now();
  await using _ = await broker.subscribe(
    topic,
    { group: `audit-${crypto.randomUUID()}`, concurrency: 8 },
    async (delivery) => {
      messages.push(delivery.message);
      last = performance.now();
    },
  );
  while (messages.length === 0 || performance.now() - last < quietMs) {
    if (performance.now() - last > 20 * quietMs) break;
    await sleep(50);
  }
  return messages;
}

async function column(url: string, sql: string): Promise<string[]> {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: 5_000 });
  await client.connect();
  try {
    return (await client.query<{ value: string }>(sql)).rows.map((row) => row.value);
  } finally {
    await client.end();
  }
}

function repeated(values: readonly string[]): string[] {
  return values.filter((value, index) => values.indexOf(value) !== index);
}
