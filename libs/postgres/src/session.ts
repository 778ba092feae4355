import { type Abortable, derive, onAbort } from "@plumbline/concurrency";
import { escapeIdentifier } from "pg";
import type { Connection } from "./connection.ts";
import { NotificationQueue } from "./notification-queue.ts";
import type { Observe } from "./observe.ts";
import { type Queryable, queryWith } from "./queryable.ts";
import { type Isolation, runTransaction, type Transaction } from "./transaction.ts";

/**
 * A dedicated connection. Its advisory locks, LISTENs and temporary tables last until the end of
 * its `work`.
 */
export interface Session extends Queryable {
  /** Aborts with the caller's signal, and when the connection is lost with all its locks. */
  readonly signal: AbortSignal;
  /** Runs a transaction on this connection. */
  transaction<T>(
    work: (tx: Transaction) => Promise<T>,
    options?: Abortable & { readonly isolation?: Isolation | undefined },
  ): Promise<T>;
  /**
   * Listens, then yields payloads in order. Throws if the connection is lost or 10,000
   * notifications wait.
   */
  notifications(channel: string, options?: Abortable): AsyncIterable<string>;
}

export interface SessionSettings extends Abortable {
  readonly observe: Observe;
  readonly commitTimeoutMs: number;
}

const maxNotifications = 10_000;

/**
 * Runs `work` with a session, then closes the connection, which releases all that the session held.
 */
export async function runSession<T>(
  connection: Connection,
  work: (session: Session) => Promise<T>,
  settings: SessionSettings,
): Promise<T> {
  await using _closing = connection;
  using scope = derive(settings);
  using _lost = onAbort(connection.lost, () => scope.abort(connection.lost.reason));
  return await work({
    signal: scope.signal,
    query: queryWith(settings.observe, async (statement, options) => {
      return (await connection.run(statement, { signal: options.signal ?? scope.signal })).rows;
    }),
    transaction: async (body, { signal = scope.signal, isolation } = {}) =>
      await runTransaction(connection, body, { ...settings, signal, isolation }),
    notifications: (channel, { signal = scope.signal } = {}) => listen(connection, channel, signal),
  });
}

async function* listen(
  connection: Connection,
  channel: string,
  signal: AbortSignal,
): AsyncGenerator<string, void, undefined> {
  const queue = new NotificationQueue(maxNotifications);
  using _lost = onAbort(connection.lost, () => queue.close());
  using _notified = connection.onNotification((notification) => {
    if (notification.channel === channel) queue.push(notification.payload ?? "");
  });
  await connection.run({ text: `LISTEN ${escapeIdentifier(channel)}` }, { signal });
  for await (const { payload, missed } of queue.values({ signal })) {
    if (missed) throw new Error(`more than ${maxNotifications} unread notifications of ${channel}`);
    yield payload;
  }
  throw connection.lost.reason;
}
