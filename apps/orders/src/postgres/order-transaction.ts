import { ordersEvents } from "@plumbline/contracts";
import { appendToOutbox } from "@plumbline/messaging";
import type { Transaction } from "@plumbline/postgres";
import type { Telemetry, Tracer } from "@plumbline/telemetry";
import { costOf, type Order } from "../domain/order.ts";
import { toMessage } from "../event-messages.ts";
import { type Abortable, type OrderEvent, OrderNotFoundError, type Orders, type Owned } from "../use-cases/ports.ts";
import {
  assignments,
  columns,
  nextPlaceholder,
  type OrderRow,
  placeholders,
  toChange,
  toOrder,
  toValues,
} from "./order-row.ts";

/**
 * The channel that announces changes to the watchers of all processes. The payload is
 * `id version traceparent`, or `id version` for a change without a trace.
 */
export const channel = "order_changed";

/** The changes of orders within one transaction, of a request or of a message with its inbox. */
export class OrderTransaction implements Pick<Orders, "change"> {
  readonly #tx: Transaction;
  readonly #tracer: Tracer;

  constructor(tx: Transaction, { tracer }: Pick<Telemetry, "tracer">) {
    this.#tx = tx;
    this.#tracer = tracer;
  }

  async insert(
    order: Order,
    events: readonly OrderEvent[],
    { signal, shareKey = "" }: Abortable & { readonly shareKey?: string | undefined } = {},
  ): Promise<void> {
    const values = toValues(order);
    const share = `$${values.length + 1}, $${values.length + 2}`;
    await this.#tx.query(
      `insert into orders (${columns}, share_key, cost) values (${placeholders}, ${share})`,
      [...values, shareKey, costOf(order)],
      { signal, name: "insert_order" },
    );
    await this.#append(events, { signal });
  }

  async change(
    id: string,
    decide: (order: Order) => { order: Order; events: readonly OrderEvent[] },
    { owner, signal }: Owned = {},
  ): Promise<Order> {
    // With the lock, the second of a cancel and an outcome reads what the first wrote.
    const [row] = await this.#tx.query<OrderRow>(
      `select ${columns} from orders where id = $1 and ($2::text is null or customer_id = $2) for update`,
      [id, owner ?? null],
      { signal, name: "lock_order" },
    );
    if (row === undefined) throw new OrderNotFoundError("there is no such order");
    const order = toOrder(row);
    const next = decide(order);
    if (next.order === order) return order;

    // The commit sends the NOTIFY, so a watcher never reads before the change is visible.
    await this.#tx.query(
      `update orders set ${assignments}, share_key = case when $2 in ('fulfilled', 'rejected') then '' else share_key end
       where id = $1 returning pg_notify('${channel}', concat_ws(' ', id, version, $${nextPlaceholder}::text))`,
      [...toChange(next.order), this.#traceparent()],
      { signal, name: "update_order" },
    );
    await this.#append(next.events, { signal });
    return next.order;
  }

  #traceparent(): string | null {
    const context: Record<string, string> = {};
    this.#tracer.inject(context);
    return context["traceparent"] ?? null;
  }

  async #append(events: readonly OrderEvent[], { signal }: Abortable): Promise<void> {
    const options = { signal, tracer: this.#tracer };
    for (const event of events) await appendToOutbox(this.#tx, ordersEvents.topic, toMessage(event), options);
  }
}
