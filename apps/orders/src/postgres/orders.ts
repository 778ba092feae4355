import type { Database, NamedStatement } from "@plumbline/postgres";
import type { Telemetry } from "@plumbline/telemetry";
import { asPlaced, type Order } from "../domain/order.ts";
import { type OrderId, timeOf } from "../domain/order-id.ts";
import type {
  Abortable,
  AddOptions,
  Decide,
  OrderEvent,
  Orders,
  OrdersFound,
  OrdersQuery,
  Owned,
  Pending,
} from "../use-cases/ports.ts";
import { claimOf, placedUnder } from "./idempotency-keys.ts";
import { columns, type OrderRow, toOrder } from "./order-row.ts";
import { OrderTransaction } from "./order-transaction.ts";
import { countPendingOf, pendingIn } from "./pending-counts.ts";

/**
 * Orders in Postgres. An aborted signal cancels the statement on the server, but never a commit.
 */
export class PostgresOrders implements Orders {
  readonly #database: Database;
  readonly #telemetry: Pick<Telemetry, "tracer">;
  readonly #pendingInAll: () => Pending;

  /** @param pendingInAll the unanswered orders of all clients; none if not given */
  constructor(
    database: Database,
    telemetry: Pick<Telemetry, "tracer">,
    pendingInAll: () => Pending = () => ({ orders: 0, cost: 0 }),
  ) {
    this.#pendingInAll = pendingInAll;
    this.#database = database;
    this.#telemetry = telemetry;
  }

  async find(id: string, { owner, signal }: Owned = {}): Promise<Order | undefined> {
    const [row] = await this.#database.query<OrderRow>(
      `select ${columns} from orders where id = $1 and ($2::text is null or customer_id = $2)`,
      [id, owner ?? null],
      { signal, name: "find_order" },
    );
    return row && toOrder(row);
  }

  async list({ customerId, before, limit, maxBytes }: OrdersQuery, { signal }: Abortable = {}): Promise<OrdersFound> {
    const rows = await this.#database.query<OrderRow & { readonly found: number }>(
      // One statement for the first page and the others: an "or" would not use the index. One row
      // more than requested shows if there is a next page. Rows past the octets are cut here, and
      // never take memory of the service.
      `select ${columns}, found from (
         select ${columns}, (count(*) over ())::int as found,
           sum(octet_length(items::text)) over (order by id desc) - octet_length(items::text) as octets_before
         from (
           select ${columns} from orders
           where customer_id = $1 and id < coalesce($2::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
           order by id desc limit $3::int + 1
         ) page
       ) sized where octets_before < $4::int order by id desc limit $3`,
      [customerId, before ?? null, limit, maxBytes],
      { signal, name: "list_orders" },
    );
    return { orders: rows.map(toOrder), more: (rows[0]?.found ?? 0) > rows.length };
  }

  async add(
    order: Order,
    events: readonly OrderEvent[],
    { signal, idempotencyKey, shareKey, admit, lookBack = 0 }: AddOptions = {},
  ): Promise<Order> {
    return await this.#database.transaction(
      async (tx) => {
        const claim = idempotencyKey && claimOf(order, idempotencyKey);
        const count = admit && shareKey !== undefined ? countPendingOf(shareKey) : undefined;
        const nth = admit && lookBack > 0 ? nthLastOf(order.customerId, lookBack) : undefined;
        const rows = await tx.queryAll(
          [claim, count, nth].filter((one) => one !== undefined),
          { signal },
        );
        const placedBefore = claim && (await placedUnder(tx, order, rows.shift(), { signal }));
        if (placedBefore !== undefined) return asPlaced(placedBefore);
        const ofClient = pendingIn(count && rows.shift());
        admit?.({ ofClient, inAll: this.#pendingInAll(), nthLastMs: timeIn(rows.shift()) });
        await new OrderTransaction(tx, this.#telemetry).insert(order, events, shareKey);
        return order;
      },
      { signal },
    );
  }

  async change(id: string, decide: Decide, { owner, signal }: Owned = {}): Promise<Order> {
    return await this.#database.transaction(
      async (tx) => await new OrderTransaction(tx, this.#telemetry).change(id, decide, { owner, signal }),
      { signal },
    );
  }
}

/** Reads the index of a customer's orders alone: an id has its time. */
function nthLastOf(customerId: string, nth: number): NamedStatement {
  return {
    name: "find_nth_last_order",
    text: "select id from orders where customer_id = $1 order by id desc offset $2::int - 1 limit 1",
    values: [customerId, nth],
  };
}

/** Returns the time of the order in the rows of `nthLastOf`. */
function timeIn(rows: readonly unknown[] = []): number | undefined {
  const [found] = rows as readonly { readonly id: OrderId }[];
  return found && timeOf(found.id);
}
