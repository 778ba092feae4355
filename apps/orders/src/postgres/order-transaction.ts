import { ordersEvents } from "@plumbline/contracts";
import { inboxNote, type Message, outboxAppend } from "@plumbline/messaging";
import type { NamedStatement, Transaction } from "@plumbline/postgres";
import type { Telemetry, Tracer } from "@plumbline/telemetry";
import { costOf, type Order } from "../domain/order.ts";
import { group, toMessage } from "../event-messages.ts";
import { type Abortable, type Decide, type OrderEvent, OrderNotFoundError, type Owned } from "../use-cases/ports.ts";
import {
  assignments,
  changingColumns,
  columns,
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

/**
 * The change of an order within one transaction, which it ends: the last statements take one round
 * trip with the COMMIT. They wait for no lock, so it does not matter that they are not cancelled.
 */
export class OrderTransaction {
  readonly #tx: Transaction;
  readonly #tracer: Tracer;

  constructor(tx: Transaction, { tracer }: Pick<Telemetry, "tracer">) {
    this.#tx = tx;
    this.#tracer = tracer;
  }

  async insert(order: Order, events: readonly OrderEvent[], shareKey = ""): Promise<void> {
    const values = toValues(order);
    const share = `$${values.length + 1}, $${values.length + 2}`;
    const text = `insert into orders (${columns}, share_key, cost) values (${placeholders}, ${share})`;
    const insert = { name: "insert_order", text, values: [...values, shareKey, costOf(order)] };
    await this.#tx.commit([insert, ...this.#appends(events)]);
  }

  async change(id: string, decide: Decide, { owner, signal }: Owned): Promise<Order> {
    const [rows] = await this.#tx.queryAll([lockOrder(id, owner)], { signal });
    return await this.#store(rows, decide);
  }

  /** Does nothing if the message is recorded. */
  async changeOnce(
    message: Pick<Message, "id" | "source">,
    id: string,
    decide: Decide,
    options: Abortable,
  ): Promise<void> {
    const [rows, noted = []] = await this.#tx.queryAll([lockOrder(id), inboxNote(group, message)], options);
    if (noted.length > 0) await this.#store(rows, decide);
  }

  /** Stores what `decide` returns for the locked order. */
  async #store(rows: readonly unknown[] = [], decide: Decide): Promise<Order> {
    const [row] = rows as readonly OrderRow[];
    if (row === undefined) throw new OrderNotFoundError("there is no such order");
    const order = toOrder(row);
    const next = decide(order);
    if (next.order === order) return order;

    // The commit sends the NOTIFY, so a watcher never reads before the change is visible.
    const update = { name: "update_order", text: updateSql, values: [...toChange(next.order), this.#traceparent()] };
    await this.#tx.commit([update, ...this.#appends(next.events)]);
    return next.order;
  }

  #traceparent(): string | null {
    return this.#tracer.carrier()["traceparent"] ?? null;
  }

  #appends(events: readonly OrderEvent[]): NamedStatement[] {
    return events.map((event) => outboxAppend(ordersEvents.topic, toMessage(event), { tracer: this.#tracer }));
  }
}

const updateSql = `
  update orders set ${assignments((_, index) => `$${index + 1}`)}
  where id = $1 returning pg_notify('${channel}', concat_ws(' ', id, version, $${changingColumns.length + 1}::text))`;

/** With the lock, the second of a cancel and an outcome reads what the first wrote. */
function lockOrder(id: string, owner?: string): NamedStatement {
  const text = `select ${columns} from orders where id = $1 and ($2::text is null or customer_id = $2) for update`;
  return { name: "lock_order", text, values: [id, owner ?? null] };
}
