import { type Abortable, deadlineOf } from "@plumbline/concurrency";
import { ServiceError } from "@plumbline/errors";
import type { QueryResult } from "pg";
import type { Connection, Statement } from "./connection.ts";
import { sqlStateOf } from "./errors.ts";
import type { Observe } from "./observe.ts";
import type { Opening } from "./opening.ts";
import { type Queryable, queryWith } from "./queryable.ts";
import { coarseTimeout } from "./statement-timeout.ts";

export type Isolation = "read committed" | "repeatable read" | "serializable";

/** A statement of a group. */
export interface NamedStatement {
  /** The name to prepare it under, as in QueryOptions. */
  readonly name: string;
  readonly text: string;
  readonly values?: readonly unknown[];
}

export interface Transaction extends Queryable {
  /**
   * Runs statements one after the other in one round trip, and returns the rows of each. If one
   * fails, those behind it do not run. Use it for statements that do not need each other's rows.
   */
  queryAll(statements: readonly NamedStatement[], options?: Abortable): Promise<Record<string, unknown>[][]>;
  /**
   * Runs the last statements with the COMMIT behind them in one round trip, and returns their rows.
   * Nothing may follow in the transaction. Like a COMMIT they are not cancelled, so use it for
   * statements that wait for no lock. Throws `unknown` if the answer is lost.
   */
  commit(statements: readonly NamedStatement[]): Promise<Record<string, unknown>[][]>;
}

export interface TransactionSettings extends Abortable {
  readonly isolation?: Isolation | undefined;
  readonly commitTimeoutMs: number;
  readonly observe: Observe;
}

/**
 * Runs BEGIN, `work` and COMMIT. Rolls back if `work` throws, if a statement failed although `work`
 * did not throw, or if the signal has aborted by then. BEGIN is sent with the first statement to
 * save a round trip, and COMMIT with the last ones if `work` names them. COMMIT is never cancelled,
 * since the outcome is unknown without its answer.
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
  let ending: Promise<readonly QueryResult[]> | undefined;
  const run = async (statements: readonly Statement[], options: Abortable) => {
    if (!isOpen) throw new Error("the transaction has ended: await every query inside its function");
    try {
      return await connection.runAll(statements, { signal: options.signal ?? signal, opening });
    } catch (error) {
      firstFailure ??= error;
      throw error;
    }
  };
  const end = (statements: readonly Statement[]): Promise<readonly QueryResult[]> => {
    if (!isOpen) throw new Error("the transaction has ended: await every query inside its function");
    isOpen = false;
    signal?.throwIfAborted();
    if (opening.isSent) refuseUnlessOpen(connection, firstFailure);
    ending = observeAll(observe, statements, commit(connection, statements, { timeoutMs: commitTimeoutMs, opening }));
    ending.catch(() => undefined); // It is awaited below, unless `work` throws before.
    return ending;
  };
  const tx: Transaction = {
    query: queryWith(observe, async (statement, options) => (await run([statement], options))[0]?.rows ?? []),
    queryAll: async (statements, options = {}) =>
      rowsOf(await observeAll(observe, statements, run(statements, options))),
    commit: async (statements) => rowsOf(await end([...statements, { text: "COMMIT", name: "COMMIT" }])).slice(0, -1),
  };
  try {
    const result = await work(tx);
    if (ending !== undefined) {
      await ending; // Rejects if its failure was swallowed.
      return result;
    }
    isOpen = false;
    signal?.throwIfAborted();
    if (!opening.isSent) return result; // It ran no statement.
    isOpen = true;
    await end([{ text: "COMMIT" }]);
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

/** Observes each statement of a group, which all take its time. */
async function observeAll<T>(observe: Observe, statements: readonly Statement[], group: Promise<T>): Promise<T> {
  await Promise.all(statements.map(({ name, text }) => observe(name ?? text, text, () => group)));
  return await group;
}

function rowsOf(results: readonly QueryResult[]): Record<string, unknown>[][] {
  return results.map(({ rows }) => rows as Record<string, unknown>[]);
}

async function commit(
  connection: Connection,
  statements: readonly Statement[],
  options: { readonly timeoutMs: number; readonly opening: Opening },
): Promise<readonly QueryResult[]> {
  try {
    // PostgreSQL stops the clock of statement_timeout before COMMIT, so that does not end it
    // either.
    return await connection.runToEnd(statements, options);
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
  await connection.runToEnd([{ text: "ROLLBACK" }]).catch(() => undefined);
}
