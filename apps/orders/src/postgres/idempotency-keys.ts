import type { Database, NamedStatement, Transaction } from "@plumbline/postgres";
import type { Order } from "../domain/order.ts";
import { type Abortable, type IdempotencyKey, IdempotencyKeyReusedError } from "../use-cases/ports.ts";
import { columns, type OrderRow, toOrder } from "./order-row.ts";

const method = "PlaceOrder";

/**
 * Claims the key for `order` within its transaction. If two claim it at once, the second waits
 * until the first commits.
 */
export function claimOf(order: Order, { key, bodyHash }: IdempotencyKey): NamedStatement {
  return {
    name: "claim_idempotency_key",
    // "Do update" locks the row that it finds, so that pruning cannot delete it meanwhile.
    text: `insert into idempotency_keys (method, customer_id, key, body_hash, order_id) values ($1, $2, $3, $4, $5)
     on conflict (method, customer_id, key) do update set key = excluded.key
     returning order_id, body_hash = $4 as same_body`,
    values: [method, order.customerId, key, bodyHash, order.id],
  };
}

/**
 * Returns the order that has claimed the key of `order`, by the rows of the claim; undefined if it
 * is this one. Throws IdempotencyKeyReusedError if the key stands for another body.
 */
export async function placedUnder(
  tx: Transaction,
  order: Order,
  rows: readonly unknown[] = [],
  { signal }: Abortable = {},
): Promise<Order | undefined> {
  const [claim] = rows as readonly { readonly order_id: string; readonly same_body: boolean }[];
  if (claim === undefined) throw new Error("the claim of an idempotency key returned no row");
  if (claim.order_id === order.id) return undefined;
  if (!claim.same_body) throw new IdempotencyKeyReusedError("the idempotency key was used for another request");
  const [row] = await tx.query<OrderRow>(`select ${columns} from orders where id = $1`, [claim.order_id], {
    signal,
    name: "find_placed_order",
  });
  if (row === undefined) throw new Error("an idempotency key stands for an order that is not there");
  return toOrder(row);
}

/** Deletes keys older than `retentionMs`, at most `batch` of them. Returns the number deleted. */
export async function pruneKeys(
  database: Pick<Database, "query">,
  { retentionMs, batch }: { readonly retentionMs: number; readonly batch: number },
  { signal }: Abortable = {},
): Promise<number> {
  const [pruned] = await database.query<{ count: number }>(
    `with old as (
       select method, customer_id, key from idempotency_keys
       where create_time < now() - make_interval(secs => $1) order by create_time limit $2 for update skip locked
     ), deleted as (
       delete from idempotency_keys using old
       where (idempotency_keys.method, idempotency_keys.customer_id, idempotency_keys.key)
         = (old.method, old.customer_id, old.key)
       returning 1
     )
     select count(*)::int as count from deleted`,
    [retentionMs / 1_000, batch],
    { signal, name: "prune_idempotency_keys" },
  );
  return pruned?.count ?? 0;
}
