import { type Abortable, deadlineOf } from "@plumbline/concurrency";
import { ServiceError } from "@plumbline/errors";
import type { Connection } from "./connection.ts";
import { sqlStateOf } from "./errors.ts";
import type { Observe } from "./observe.ts";
import type { Opening } from "./opening.ts";
import { type Queryable, queryWith } from "./queryable.ts";
import { coarseTimeout } from "./statement-timeout.ts";

export type Isolation = "read committed" | "repeatable read" | "serializable";

export interface Transaction extends Queryable {}

export interface TransactionSettings extends Abortable {
  readonly isolation?: Isolation | undefined;
  readonly commitTimeoutMs: number;
  readonly observe: Observe;
}

/**
 * Runs BEGIN, `work` and COMMIT. Rolls back if `work` throws, if a statement failed although `work`
 * did not throw, or if the signal has aborted by then. BEGIN is sent with the first statement to
 * save a round trip. COMMIT is never cancelled, since the outcome is unknown without its answer.
 */
export async function runTransaction<T>(
  connection: Connection,
  work: (tx: Transaction) => Promise<T>,
  settings: TransactionSettings,
): Promise<T> {
  const { signal, observe, isolation, commitTimeoutMs } = settings;
  signal?.throwIfAborted();
  const opening: Opening = { begin: begin(isolation), limitMs: coarseTimeout(deadlineOf(signal)), isSent: false };
  let isOpen = true;
  let firstFailure: unknown;
  const query = queryWith(observe, async (statement, options) => {
    if (!isOpen) throw new Error("the transaction has ended: await every query inside its function");
    try {
      return (await connection.run(statement, { signal: options.signal ?? signal, opening })).rows;
    } catch (error) {
      firstFailure ??= error;
      throw error;
    }
  });
  try {
    const result = await work({ query });
    isOpen = false;
    signal?.throwIfAborted();
    if (!opening.isSent) return result; // It ran no statement.
    refuseUnlessOpen(connection, firstFailure);
    await observe("COMMIT", "COMMIT", () => commit(connection, commitTimeoutMs));
    return result;
  } catch (error) {
    isOpen = false;
    await rollBack(connection);
    throw error;
  }
}

function begin(isolation: Isolation | undefined): string {
  return isolation === undefined ? "BEGIN" : `BEGIN ISOLATION LEVEL ${isolation.toUpperCase()}`;
}

function refuseUnlessOpen(connection: Connection, firstFailure: unknown): void {
  if (connection.lost.aborted) throw connection.lost.reason;
  // COMMIT of a failed transaction is a ROLLBACK that reports success.
  if (connection.transactionStatus === "E") {
    throw new Error("a statement of the transaction failed and its error was swallowed: nothing was changed", {
      cause: firstFailure,
    });
  }
  if (connection.transactionStatus !== "T") throw new Error("the transaction was ended by one of its own statements");
}

async function commit(connection: Connection, timeoutMs: number): Promise<void> {
  try {
    // PostgreSQL stops the clock of statement_timeout before COMMIT, so that does not end it
    // either.
    await connection.runToEnd("COMMIT", timeoutMs);
  } catch (error) {
    if (sqlStateOf(error) !== undefined && !connection.lost.aborted) throw error;
    throw new ServiceError("unknown", "the connection was lost during COMMIT: the change may have been made, or not", {
      cause: error,
    });
  }
}

/**
 * Rolls back, and ignores a failure: the first error matters more, and the server rolls back a lost
 * connection.
 */
async function rollBack(connection: Connection): Promise<void> {
  if (connection.lost.aborted || connection.transactionStatus === "I") return;
  await connection.runToEnd("ROLLBACK").catch(() => undefined);
}
