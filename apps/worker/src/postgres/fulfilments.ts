import type { Abortable } from "@plumbline/concurrency";
import { fulfilmentEvents } from "@plumbline/contracts";
import { appendToOutbox, handleOnce } from "@plumbline/messaging";
import type { Database, Transaction } from "@plumbline/postgres";
import type { Tracer } from "@plumbline/telemetry";
import type { Fulfilment } from "../domain/order.ts";
import type { OrderId } from "../domain/order-id.ts";
import { group, toMessage } from "../event-messages.ts";
import type { Fulfilments, MessageId, Owned } from "../use-cases/ports.ts";

/** Fulfilments in Postgres: the row, its event and the handled message in one transaction. */
export class PostgresFulfilments implements Fulfilments {
  readonly #database: Database;

  readonly #tracer: Tracer;

  /** The tracer adds the trace of the handled message to the published one. */
  constructor(database: Database, tracer: Tracer) {
    this.#database = database;
    this.#tracer = tracer;
  }

  async statusOf(orderId: OrderId, { signal }: Abortable = {}): Promise<"open" | "settled" | "cancelled"> {
    const [row] = await this.#database.query<{ settled: boolean; cancelled: boolean }>(
      `select exists (select from fulfilments where order_id = $1) as settled,
         exists (select from cancelled_orders where order_id = $1) as cancelled`,
      [orderId],
      { signal, name: "status_of_order" },
    );
    if (row?.settled === true) return "settled";
    return row?.cancelled === true ? "cancelled" : "open";
  }

  async settle(message: MessageId, fulfilment: Fulfilment, { signal }: Abortable = {}): Promise<void> {
    await handleOnce(
      this.#database,
      group,
      message,
      async (tx) => {
        const isRecorded = await insert(tx, fulfilment, { signal });
        if (!isRecorded) await withhold(tx, fulfilment, { signal });
        const event = isRecorded ? toMessage(fulfilment) : undefined;
        if (event !== undefined)
          await appendToOutbox(tx, fulfilmentEvents.topic, event, { signal, tracer: this.#tracer });
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

/**
 * Inserts the fulfilment. Returns false if the order has one or was cancelled. One statement does
 * both, as each is a round trip. A cancel that commits meanwhile may be missed, which is harmless:
 * orders decides how an order ends, and the row of the cancel withholds the label.
 */
async function insert(
  tx: Transaction,
  { orderId, customerId, outcome, time }: Fulfilment,
  { signal }: Abortable,
): Promise<boolean> {
  const total = outcome.status === "fulfilled" ? outcome.total : undefined;
  const rows = await tx.query(
    `insert into fulfilments (order_id, status, currency_code, minor_units, label, reason, time, customer_id)
     select $1::uuid, $2, $3, $4::bigint, $5::bytea, $6, $7::timestamptz, $8
     where not exists (select from cancelled_orders where order_id = $1)
     on conflict do nothing returning order_id`,
    [
      orderId,
      outcome.status,
      total?.currencyCode ?? null,
      total?.minorUnits ?? null,
      outcome.status === "fulfilled" ? Buffer.from(outcome.label) : null,
      outcome.status === "rejected" ? outcome.reason : null,
      time,
      customerId,
    ],
    { signal, name: "insert_fulfilment" },
  );
  return rows.length > 0;
}

/** Records that the order was withheld, unless it is settled. */
async function withhold(tx: Transaction, { orderId, time }: Fulfilment, { signal }: Abortable): Promise<void> {
  await tx.query(
    "insert into fulfilments (order_id, status, time) values ($1, 'withheld', $2) on conflict do nothing",
    [orderId, time],
    { signal, name: "withhold_fulfilment" },
  );
}
