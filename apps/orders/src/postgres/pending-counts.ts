import { repeat } from "@plumbline/concurrency";
import type { Database, NamedStatement, Queryable } from "@plumbline/postgres";
import type { Telemetry } from "@plumbline/telemetry";
import type { Abortable, Pending } from "../use-cases/ports.ts";

interface Row {
  readonly orders: number;
  readonly cost: number;
}

/** Unanswered orders, and those cancelled within a minute: the worker may be at them still. */
const counted = `share_key <> '' and (status = 'pending'
  or (status = 'cancelled' and update_time > now() - interval '1 minute'))`;
const sums = "select count(*)::int as orders, coalesce(sum(cost), 0)::int as cost";
/** A pending order was updated when it was placed, and the index has that time. */
const oldest = `coalesce(extract(epoch from now() - min(update_time) filter (where status = 'pending')), 0)::int
  as oldest`;

const nothing: Pending = { orders: 0, cost: 0 };
/** The pause between two reads of the count of all orders. */
const everyMs = 1_000;

/** Counts the unanswered orders of one client, by an index that holds no answered ones. */
export function countPendingOf(shareKey: string): NamedStatement {
  return {
    name: "count_pending_of_client",
    text: `${sums} from orders where share_key = $1 and ${counted}`,
    values: [shareKey],
  };
}

/** Returns the count in the rows of `countPendingOf`. */
export function pendingIn(rows: readonly unknown[] = []): Pending {
  const [found = nothing] = rows as readonly Row[];
  return found;
}

/** The unanswered orders of all clients, a second old or two. */
export interface PendingInAll extends AsyncDisposable {
  readonly current: () => Pending;
}

/**
 * Follows the unanswered orders of all clients until disposed, and reports them. Counting them
 * takes too long for each order. While the database does not answer, the last count stays.
 */
export function followPending(
  database: Pick<Database, "query">,
  { logger, metrics }: Pick<Telemetry, "logger" | "metrics">,
): PendingInAll {
  let current = nothing;
  let oldestSeconds = 0;
  const gauges = new DisposableStack();
  const gauge = (name: string, help: string, read: () => number): void =>
    void gauges.use(metrics.gauge(name, help, []).observe(read));
  gauge("orders_pending", "Unanswered orders of all clients, as they count for the bounds.", () => current.orders);
  gauge("orders_pending_items", "Items of the unanswered orders of all clients.", () => current.cost);
  gauge("orders_pending_oldest_seconds", "Age of the oldest unanswered order; 0 without one.", () => oldestSeconds);
  const running = repeat(
    async (signal) => {
      const statement = `${sums}, ${oldest} from orders where ${counted}`;
      const [found] = await database.query<Row & { readonly oldest: number }>(statement, [], {
        signal,
        name: "count_pending",
      });
      if (found === undefined) return;
      current = { orders: found.orders, cost: found.cost };
      oldestSeconds = Math.max(0, found.oldest);
    },
    { everyMs, onFailure: (error) => logger.warn("unanswered orders not counted", { error: String(error) }) },
  );
  return {
    current: () => current,
    async [Symbol.asyncDispose]() {
      gauges.dispose();
      await running[Symbol.asyncDispose]();
    },
  };
}

/**
 * Removes the keys of orders that no longer count: cancelled ones, and those that a version without
 * share keys has answered, during a rollout. Returns the number of them, at most `batch`.
 */
export async function forgetShareKeys(
  database: Queryable,
  { batch }: { readonly batch: number },
  { signal }: Abortable = {},
): Promise<number> {
  const rows = await database.query(
    `update orders set share_key = '' where id in (
       select id from orders
       where share_key <> '' and status <> 'pending'
         and (status <> 'cancelled' or update_time < now() - interval '1 minute')
       limit $1 for update skip locked)
     returning id`,
    [batch],
    { signal, name: "forget_share_keys" },
  );
  return rows.length;
}
