import { type Abortable, Batches } from "@plumbline/concurrency";
import { fulfilmentEvents } from "@plumbline/contracts";
import { handleOnce, inboxSql, outboxColumns, outboxSql, outboxValues, spanOfBatch } from "@plumbline/messaging";
import type { Database, QueryOptions } from "@plumbline/postgres";
import type { Carrier, Tracer } from "@plumbline/telemetry";
import type { Fulfilment } from "../domain/order.ts";
import type { OrderId } from "../domain/order-id.ts";
import { group, toMessage } from "../event-messages.ts";
import type { Fulfilments, MessageId, Owned } from "../use-cases/ports.ts";

/** An order whose status is asked for, or settled, with the context of its handler's span. */
interface Asked {
  readonly orderId: OrderId;
  readonly trace: Carrier;
}

interface Settled extends Asked {
  readonly values: readonly unknown[];
}

type Status = "open" | "settled" | "cancelled";

/** The most orders of one batch, whose labels and events are in memory anyway. */
const most = 100;
const keyOf = ({ orderId }: Asked): string => orderId;

/**
 * Fulfilments in Postgres: the row, its event and the handled message in one transaction. Orders
 * that are worked on at the same time share their statements and commits.
 */
export class PostgresFulfilments implements Fulfilments {
  readonly #database: Database;
  readonly #tracer: Tracer;
  readonly #statuses = new Batches<Asked, Status>((all, signal) => this.#statusOfAll(all, signal), { most, keyOf });
  readonly #settling = new Batches<Settled, void>((all, signal) => this.#settleAll(all, signal), { most, keyOf });

  /** The tracer adds the trace of the handled message to the published one. */
  constructor(database: Database, tracer: Tracer) {
    this.#database = database;
    this.#tracer = tracer;
  }

  async statusOf(orderId: OrderId, { signal }: Abortable = {}): Promise<Status> {
    return await this.#statuses.add({ orderId, trace: this.#tracer.carrier() }, { signal });
  }

  async #statusOfAll(all: readonly Asked[], signal: AbortSignal): Promise<Status[]> {
    const rows = await this.#together<{ settled: boolean | null; cancelled: boolean | null }>(
      "status of orders",
      all,
      statusSql,
      [all.map(keyOf)],
      { name: "status_of_orders", signal },
    );
    return rows.map(({ settled, cancelled }) => {
      if (settled === true) return "settled";
      return cancelled === true ? "cancelled" : "open";
    });
  }

  async settle(message: MessageId, fulfilment: Fulfilment, { signal }: Abortable = {}): Promise<void> {
    const event = toMessage(fulfilment);
    if (event === undefined) return await this.#withhold(message, fulfilment, { signal });
    const { orderId, customerId, outcome, time } = fulfilment;
    const total = outcome.status === "fulfilled" ? outcome.total : undefined;
    const values = [
      message.source,
      message.id,
      orderId,
      outcome.status,
      total?.currencyCode ?? null,
      total?.minorUnits ?? null,
      outcome.status === "fulfilled" ? Buffer.from(outcome.label) : null,
      outcome.status === "rejected" ? outcome.reason : null,
      time,
      customerId,
      // Here and not in the batch: the trace of the handler is the one that the event continues.
      ...outboxValues(fulfilmentEvents.topic, event, { tracer: this.#tracer }),
    ];
    await this.#settling.add({ orderId, trace: this.#tracer.carrier(), values }, { signal });
  }

  async #settleAll(all: readonly Settled[], signal: AbortSignal): Promise<void[]> {
    const columns = settledColumns.map((_, column) => all.map(({ values }) => values[column]));
    await this.#together("settle orders", all, settleSql, [group, ...columns], { name: "settle_orders", signal });
    return all.map(() => undefined);
  }

  async #together<Row>(
    what: string,
    all: readonly Asked[],
    sql: string,
    values: readonly unknown[],
    options: QueryOptions,
  ): Promise<Row[]> {
    const contexts = all.map(({ trace }) => trace);
    return await spanOfBatch(this.#tracer, what, contexts, () => this.#database.query<Row>(sql, values, options));
  }

  /** Records that the order was withheld, unless it is settled. */
  async #withhold(message: MessageId, { orderId, time }: Fulfilment, { signal }: Abortable): Promise<void> {
    await handleOnce(
      this.#database,
      group,
      message,
      async (tx) => {
        await tx.query(
          "insert into fulfilments (order_id, status, time) values ($1, 'withheld', $2) on conflict do nothing",
          [orderId, time],
          { signal, name: "withhold_fulfilment" },
        );
      },
      { signal },
    );
  }

  async cancel(
    message: MessageId,
    { orderId, time }: { readonly orderId: OrderId; readonly time: Date },
    { signal }: Abortable = {},
  ): Promise<void> {
    await handleOnce(
      this.#database,
      group,
      message,
      async (tx) => {
        await tx.query(
          "insert into cancelled_orders (order_id, time) values ($1, $2) on conflict do nothing",
          [orderId, time],
          { signal, name: "insert_cancelled_order" },
        );
      },
      { signal },
    );
  }

  async label(orderId: OrderId, { owner, signal }: Owned = {}): Promise<Uint8Array | undefined> {
    const [row] = await this.#database.query<{ label: Buffer }>(
      `select label from fulfilments
       where order_id = $1 and status = 'fulfilled' and ($2::text is null or customer_id = $2)
         and not exists (select from cancelled_orders where order_id = $1)`,
      [orderId, owner ?? null],
      { signal, name: "find_label" },
    );
    return row?.label;
  }
}

// Subqueries with a limit find each row by its index: a join might read the whole table, by
// statistics from when it was small.

const statusSql = `
  select settled, cancelled from unnest($1::uuid[]) with ordinality as asked (id, place)
    left join lateral (select true as settled from fulfilments where order_id = id limit 1) as f on true
    left join lateral (select true as cancelled from cancelled_orders where order_id = id limit 1) as c on true
  order by place`;

const settledColumns = [
  { name: "source", type: "text" },
  { name: "message_id", type: "text" },
  { name: "order_id", type: "uuid" },
  { name: "status", type: "text" },
  { name: "currency_code", type: "text" },
  { name: "minor_units", type: "bigint" },
  { name: "label", type: "bytea" },
  { name: "reason", type: "text" },
  { name: "time", type: "timestamptz" },
  { name: "customer_id", type: "text" },
  ...outboxColumns.map(({ name, type }) => ({ name: `event_${name}`, type })),
];

/**
 * Notes the messages, and for those that were not handled before records the outcome and stores its
 * event, or that the order was withheld since it was cancelled. An order that is settled stays as
 * it is. It is one statement, which is a transaction and one round trip. A cancel that commits
 * meanwhile may be missed, which is harmless: orders decides how an order ended, and the row of the
 * cancel withholds the label.
 */
const settleSql = `
  with incoming as materialized (
    select * from unnest(${settledColumns.map(({ type }, index) => `$${index + 2}::${type}[]`).join(", ")})
      as t (${settledColumns.map(({ name }) => name).join(", ")})
  ),
  noted as (${inboxSql("incoming", "$1")}),
  fresh as materialized (
    select incoming.*, cancelled from incoming
      join noted on noted.source = incoming.source and noted.id = message_id
      left join lateral (
        select true as cancelled from cancelled_orders as c where c.order_id = incoming.order_id limit 1
      ) as c on true
  ),
  recorded as (
    insert into fulfilments (order_id, status, currency_code, minor_units, label, reason, time, customer_id)
    select order_id, status, currency_code, minor_units, label, reason, time, customer_id
    from fresh where cancelled is null
    on conflict do nothing returning order_id
  ),
  withheld as (
    insert into fulfilments (order_id, status, time)
    select order_id, 'withheld', time from fresh where cancelled
    on conflict do nothing
  ),
  announced as (
    select ${outboxColumns.map(({ name }) => `event_${name} as ${name}`).join(", ")}
    from fresh join recorded using (order_id)
  ),
  ${outboxSql("announced")}`;
