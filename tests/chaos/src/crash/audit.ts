import { OrderFulfilled, OrderRejected } from "@plumbline/contracts";
import type { Message } from "@plumbline/messaging";
import { type InspectorOptions, openInspector } from "@plumbline/messaging/inspect";
import { noTelemetry } from "@plumbline/telemetry";
import { Client } from "pg";

export interface Audit {
  /** Orders in the database without a published OrderPlaced. */
  readonly lost: readonly string[];
  /** Events still in an outbox, with the broker's reason if it refused one. */
  readonly unsent: readonly string[];
  /** Events about orders that are in no database. */
  readonly phantom: readonly string[];
  /**
   * Orders with more than one effect: two results in the worker's database, or two different
   * answers.
   */
  readonly doubled: readonly string[];
}

/** Compares the databases with all messages of the broker, from the first on. */
export async function audit(urls: { orders: string; worker: string }, broker: InspectorOptions): Promise<Audit> {
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

/**
 * Returns all messages of a topic up to its end offset. A reader that waits for silence would
 * mistake a slow broker for a lost event.
 */
async function read(options: InspectorOptions, topic: string): Promise<Message[]> {
  await using inspector = await openInspector(options, noTelemetry);
  const messages: Message[] = [];
  await inspector.read([topic], ({ message }) => messages.push(message));
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
