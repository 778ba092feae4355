import type { Abortable } from "@plumbline/concurrency";
import { fulfilmentEvents } from "@plumbline/contracts";
import { handleOnce, inboxNote, outboxSql, outboxValues } from "@plumbline/messaging";
import type { Database } from "@plumbline/postgres";
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
    const event = toMessage(fulfilment);
    if (event === undefined) return await this.#withhold(message, fulfilment, { signal });
    const { orderId, customerId, outcome, time } = fulfilment;
    const total = outcome.status === "fulfilled" ? outcome.total : undefined;
    const values = [
      ...(inboxNote(group, message).values ?? []),
      orderId,
      outcome.status,
      total?.currencyCode ?? null,
      total?.minorUnits ?? null,
      outcome.status === "fulfilled" ? Buffer.from(outcome.label) : null,
      outcome.status === "rejected" ? outcome.reason : null,
      time,
      customerId,
      ...outboxValues(fulfilmentEvents.topic, event, { tracer: this.#tracer }),
    ];
    await this.#database.query(settleSql, values, { signal, name: "settle_order" });
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

/**
 * Notes the message, and with that records the outcome and stores its event, or that the order was
 * withheld since it was cancelled. Has no effect if the message was handled or the order is
 * settled. It is one statement, which is a transaction and one round trip. A cancel that commits
 * meanwhile may be missed, which is harmless: orders decides how an order ended, and the row of the
 * cancel withholds the label.
 */
const settleSql = `
  with noted as (${inboxNote(group, { source: "", id: "" }).text}),
  recorded as (
    insert into fulfilments (order_id, status, currency_code, minor_units, label, reason, time, customer_id)
    select $4::uuid, $5::text, $6::text, $7::bigint, $8::bytea, $9::text, $10::timestamptz, $11::text from noted
    where not exists (select from cancelled_orders where order_id = $4)
    on conflict do nothing returning order_id
  ),
  withheld as (
    insert into fulfilments (order_id, status, time) select $4, 'withheld', $10 from noted
    where exists (select from cancelled_orders where order_id = $4)
    on conflict do nothing
  ),
  ${outboxSql("recorded", 12)}`;
