import { Batches } from "@plumbline/concurrency";
import { inboxSql, type Message, spanOfBatch } from "@plumbline/messaging";
import type { Database } from "@plumbline/postgres";
import type { Carrier, Telemetry } from "@plumbline/telemetry";
import type { Order } from "../domain/order.ts";
import type { OrderId } from "../domain/order-id.ts";
import { group } from "../event-messages.ts";
import type { Abortable, Decide, Inbox } from "../use-cases/ports.ts";
import { assignments, changingColumns, changingTypes, columns, type OrderRow, toChange, toOrder } from "./order-row.ts";
import { channel, OrderTransaction } from "./order-transaction.ts";

/** A message to handle: its order, and the decision about it. */
interface Change {
  readonly message: Pick<Message, "id" | "source">;
  readonly id: string;
  readonly decide: Decide;
  /** The context of the handler's span. */
  readonly trace: Carrier;
  readonly signal: AbortSignal | undefined;
}

/** A change with the order that it was decided for, and that order after it. */
interface Decided {
  readonly change: Change;
  readonly before: Order;
  readonly after: Order;
}

/** The most messages of one batch, which bounds its statements. */
const most = 100;

/**
 * The handled messages, stored in the transaction of their effect. Messages that are handled at the
 * same time share two statements and one commit: their orders are read without a lock, and each is
 * written if it has not changed since. A message is handled alone, behind the lock of its order, if
 * that has changed, is locked or is unknown, or if the decision throws or publishes.
 */
export class PostgresInbox implements Inbox {
  readonly #database: Database;
  readonly #telemetry: Pick<Telemetry, "tracer">;
  readonly #changes = new Batches<Change, void>((changes, signal) => this.#changeAll(changes, signal), {
    most,
    keyOf: ({ id }) => id,
  });

  constructor(database: Database, telemetry: Pick<Telemetry, "tracer">) {
    this.#database = database;
    this.#telemetry = telemetry;
  }

  async changeOnce(
    message: Pick<Message, "id" | "source">,
    id: string,
    decide: Decide,
    { signal }: Abortable = {},
  ): Promise<void> {
    const trace = this.#telemetry.tracer.carrier();
    await this.#changes.add({ message, id, decide, trace, signal }, { signal });
  }

  async #changeAll(changes: readonly Change[], signal: AbortSignal): Promise<Promise<void>[]> {
    const done = await spanOfBatch(
      this.#telemetry.tracer,
      "change orders",
      changes.map(({ trace }) => trace),
      async () => await this.#store(await this.#decideAll(changes, signal), signal),
    );
    return changes.map(async (change) => {
      if (!done.has(change)) await this.#changeAlone(change);
    });
  }

  /** Returns the decisions that can be stored together. */
  async #decideAll(changes: readonly Change[], signal: AbortSignal): Promise<Decided[]> {
    const ids = changes.map(({ id }) => id);
    const rows = await this.#database.query<OrderRow>(readSql, [ids], { name: "read_orders", signal });
    const orders = new Map(rows.map((row) => [row.id as string, toOrder(row)]));
    return changes.flatMap((change) => {
      const before = orders.get(change.id);
      if (before === undefined) return [];
      const after = decided(change, before);
      return after === undefined ? [] : [{ change, before, after }];
    });
  }

  /**
   * Records the messages, and stores the orders of those that were not recorded before. Returns the
   * changes that are done. The others' orders have changed meanwhile, or are being changed.
   */
  async #store(all: readonly Decided[], signal: AbortSignal): Promise<ReadonlySet<Change>> {
    if (all.length === 0) return new Set();
    const values = [
      all.map(({ change }) => change.message.source),
      all.map(({ change }) => change.message.id),
      all.map(({ before }) => before.version),
      all.map(({ change }) => change.trace["traceparent"] ?? null),
      ...columnsOf(all.map(({ after }) => toChange(after))),
    ];
    const rows = await this.#database.query<{ id: OrderId }>(changeSql, [group, ...values], {
      name: "change_orders",
      signal,
    });
    const ids = new Set<string>(rows.map(({ id }) => id));
    return new Set(all.filter(({ change }) => ids.has(change.id)).map(({ change }) => change));
  }

  /** Changes the order behind its lock, and throws what `decide` throws. */
  async #changeAlone({ message, id, decide, signal }: Change): Promise<void> {
    await this.#database.transaction(
      async (tx) => await new OrderTransaction(tx, this.#telemetry).changeOnce(message, id, decide, { signal }),
      { signal },
    );
  }
}

/**
 * Returns the order after the change. Returns undefined if it must be made alone, since it throws
 * or publishes.
 */
function decided({ decide }: Change, before: Order): Order | undefined {
  try {
    const { order, events } = decide(before);
    return order === before || events.length === 0 ? order : undefined;
  } catch {
    return undefined;
  }
}

/** Returns the columns of rows of one length. */
function columnsOf(rows: readonly (readonly unknown[])[]): unknown[][] {
  return (rows[0] ?? []).map((_, column) => rows.map((row) => row[column]));
}

// An order is locked before its message is noted, here and alone, so that replicas with the same
// messages do not deadlock.
//
// In both statements a subquery with a limit or a lock finds each order by the index: a join might
// read the whole table, by statistics from when it was small.

const readSql = `
  select found.* from unnest($1::uuid[]) as asked (order_id),
    lateral (select ${columns} from orders where id = order_id limit 1) as found`;

const parameters = changingTypes.map((type, index) => `$${index + 6}::${type}[]`).join(", ");

const changeSql = `
  with incoming as materialized (
    select t.* from unnest($2::text[], $3::text[], $4::bigint[], $5::text[], ${parameters})
      as t (source, message_id, version_before, traceparent, ${changingColumns.join(", ")}),
      lateral (
        select from orders where orders.id = t.id and orders.version = t.version_before for update skip locked
      ) as locked
  ),
  noted as (${inboxSql("incoming", "$1")}),
  changed as (
    update orders set ${assignments((column) => `incoming.${column}`)}
    from incoming join noted on noted.source = incoming.source and noted.id = incoming.message_id
    where orders.id = incoming.id and incoming.version <> incoming.version_before
    returning orders.id
  )
  select id, case when changed.id is not null
    then pg_notify('${channel}', concat_ws(' ', id, version, traceparent)) end
  from incoming left join changed using (id)`;
