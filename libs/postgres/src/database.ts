import { AsyncLocalStorage } from "node:async_hooks";
import { type Abortable, deadline, retry, Semaphore } from "@plumbline/concurrency";
import { codeOf, ServiceError } from "@plumbline/errors";
import type { Telemetry } from "@plumbline/telemetry";
import { Client, type ClientConfig } from "pg";
import { Connection, type Statement } from "./connection.ts";
import { isConflict } from "./errors.ts";
import { type Listener, ListenHub, type ListenOptions } from "./listen-hub.ts";
import { type DatabaseAddress, type Observe, observePool, observer } from "./observe.ts";
import { ConnectionPool } from "./pool.ts";
import { type Queryable, queryWith } from "./queryable.ts";
import { runSession, type Session } from "./session.ts";
import { type Isolation, runTransaction, type Transaction } from "./transaction.ts";
import { valueTypes } from "./values.ts";

export interface DatabaseOptions {
  /** postgresql://role:password@host:port/name, or a secret that reveals it. */
  readonly url: string | { reveal(): string };
  /** Shown in pg_stat_activity. */
  readonly applicationName: string;
  /** The most connections of the pool. Default 10. Listening and sessions use others. */
  readonly poolSize?: number | undefined;
  /** The most callers that wait for a connection. The next one is refused. Default 1000. */
  readonly maxWaiting?: number | undefined;
  /** The longest wait for a connection. Default 5 s. */
  readonly acquireTimeoutMs?: number | undefined;
  /** The limit for opening one connection, and for openDatabase as a whole. Default 5 s. */
  readonly connectTimeoutMs?: number | undefined;
  /** The time for a cancelled statement to end before its connection is destroyed. Default 2 s. */
  readonly cancelTimeoutMs?: number | undefined;
  /** The longest wait for the answer to a COMMIT, which is never cancelled. Default 30 s. */
  readonly commitTimeoutMs?: number | undefined;
  /** The longest that closing waits for running statements. Default 5 s. */
  readonly closeTimeoutMs?: number | undefined;
  /**
   * The idle time after which the server ends a transaction, so that a stopped process holds no
   * locks. Default 60 s.
   */
  readonly idleInTransactionMs?: number | undefined;
  /** The most sessions at a time. Default 4. */
  readonly maxSessions?: number | undefined;
  /** The interval of heartbeats on the listening connection. Default 15 s. */
  readonly heartbeatMs?: number | undefined;
}

export interface TransactionOptions extends Abortable {
  /** Default "read committed". */
  readonly isolation?: Isolation | undefined;
  /** The most retries after a serialization failure or a deadlock. Default 0. */
  readonly retries?: number | undefined;
}

export interface Database extends Queryable, AsyncDisposable {
  /**
   * Runs `work` between BEGIN and COMMIT on one connection. Rolls back if it throws. Inside, use
   * only the transaction, not the database, and make no remote calls.
   *
   * Throws `unknown` if the answer to the COMMIT is lost.
   */
  transaction<T>(work: (tx: Transaction) => Promise<T>, options?: TransactionOptions): Promise<T>;
  /**
   * Runs `work` with a connection outside the pool, and closes it. Throws `resource_exhausted`
   * beyond `maxSessions`.
   */
  session<T>(work: (session: Session) => Promise<T>, options?: Abortable): Promise<T>;
  /** Listens to a channel. Resolves once the server listens. */
  listen(channel: string, options?: ListenOptions): Promise<Listener>;
  /** Runs a trivial statement. It is bound, so that it can be passed as a health check. */
  readonly ping: (options?: Abortable) => Promise<void>;
}

/**
 * Connects, and waits for a server that is starting. Rejects within `connectTimeoutMs` with the
 * address and the reason. Disposing waits for running statements, then closes.
 */
export async function openDatabase(options: DatabaseOptions, telemetry: Telemetry): Promise<Database> {
  const database = new PostgresDatabase(options, telemetry);
  const { connectTimeoutMs = 5000 } = options;
  try {
    using limit = deadline(connectTimeoutMs);
    await retry(() => database.ping(limit), { attempts: 1000, baseMs: 100, maxMs: 1000, signal: limit.signal });
  } catch (error) {
    await database[Symbol.asyncDispose]();
    const code = ["unavailable", "deadline_exceeded"].includes(codeOf(error)) ? "unavailable" : "failed_precondition";
    throw new ServiceError(code, `cannot open ${database.description}: ${reasonOf(error)}`, { cause: error });
  }
  return database;
}

class PostgresDatabase implements Database {
  readonly #config: ClientConfig;
  readonly #connectTimeoutMs: number;
  readonly #cancelTimeoutMs: number;
  readonly #pool: ConnectionPool;
  readonly #sessions: Semaphore;
  readonly #hub: ListenHub;
  readonly #settings: { readonly observe: Observe; readonly commitTimeoutMs: number };
  readonly #gauges: Disposable;
  readonly #inside = new AsyncLocalStorage<{ isOpen: boolean }>();
  /** The database and its address, without the password. */
  readonly description: string;

  constructor(options: DatabaseOptions, telemetry: Telemetry) {
    const url = typeof options.url === "string" ? options.url : options.url.reveal();
    this.#config = {
      connectionString: url,
      application_name: options.applicationName,
      types: valueTypes,
      keepAlive: true,
      keepAliveInitialDelayMillis: 10_000,
      idle_in_transaction_session_timeout: options.idleInTransactionMs ?? 60_000,
    };
    const address = addressOf(this.#config);
    this.description = `database "${address.database}" at ${address.host}:${address.port}`;
    this.#connectTimeoutMs = options.connectTimeoutMs ?? 5000;
    this.#cancelTimeoutMs = options.cancelTimeoutMs ?? 2000;
    this.#sessions = new Semaphore(options.maxSessions ?? 4);
    this.#pool = new ConnectionPool((opening) => this.#connect(opening), {
      size: options.poolSize ?? 10,
      maxWaiting: options.maxWaiting ?? 1000,
      acquireTimeoutMs: options.acquireTimeoutMs ?? 5000,
      closeTimeoutMs: options.closeTimeoutMs ?? 5000,
    });
    this.#hub = new ListenHub(
      (opening) => this.#connect(opening),
      {
        connectTimeoutMs: this.#connectTimeoutMs,
        heartbeatMs: options.heartbeatMs ?? 15_000,
        heartbeatTimeoutMs: this.#connectTimeoutMs,
        capacity: 1000,
      },
      telemetry.logger.child({ db: address.database }),
    );
    const observe = observer(telemetry, address);
    this.#settings = { observe, commitTimeoutMs: options.commitTimeoutMs ?? 30_000 };
    this.query = queryWith(observe, (statement, waiting) => this.#queryOnce(statement, waiting));
    this.#gauges = observePool(telemetry, address, this.#pool);
  }

  readonly query: Queryable["query"];

  async transaction<T>(work: (tx: Transaction) => Promise<T>, options: TransactionOptions = {}): Promise<T> {
    this.#refuseInsideTransaction("transaction");
    const { signal, isolation, retries = 0 } = options;
    const settings = { ...this.#settings, signal, isolation };
    return await retry(
      () =>
        this.#pool.use((connection) => runTransaction(connection, (tx) => this.#enter(() => work(tx)), settings), {
          signal,
        }),
      { attempts: retries + 1, baseMs: 10, maxMs: 500, retryable: isConflict, signal },
    );
  }

  async session<T>(work: (session: Session) => Promise<T>, options: Abortable = {}): Promise<T> {
    using permit = this.#sessions.tryAcquire();
    if (permit === undefined) {
      throw new ServiceError("resource_exhausted", "too many sessions with the database", {
        reason: "DATABASE_SESSIONS_EXHAUSTED",
      });
    }
    const connection = await this.#connect(options);
    return await runSession(connection, work, { ...this.#settings, signal: options.signal });
  }

  async listen(channel: string, options: ListenOptions = {}): Promise<Listener> {
    return await this.#hub.listen(channel, options);
  }

  readonly ping = async (options: Abortable = {}): Promise<void> => {
    await this.#pool.use((connection) => connection.run({ text: "SELECT 1" }, options), options);
  };

  async [Symbol.asyncDispose](): Promise<void> {
    this.#gauges[Symbol.dispose]();
    await Promise.all([this.#hub[Symbol.asyncDispose](), this.#pool[Symbol.asyncDispose]()]);
  }

  async #queryOnce(statement: Statement, options: Abortable): Promise<readonly unknown[]> {
    this.#refuseInsideTransaction("query");
    return await this.#pool.use(async (connection) => {
      const { rows } = await connection.run(statement, options);
      // The next user of the connection would be inside that transaction.
      if (connection.transactionStatus !== "I") throw new Error("BEGIN is not allowed in query: use transaction()");
      return rows;
    }, options);
  }

  async #connect(options: Abortable): Promise<Connection> {
    return await Connection.open(this.#config, {
      signal: options.signal,
      connectTimeoutMs: this.#connectTimeoutMs,
      cancelTimeoutMs: this.#cancelTimeoutMs,
    });
  }

  async #enter<T>(work: () => Promise<T>): Promise<T> {
    // Tasks that outlive the function keep the store. They may use the database once it has ended.
    const scope = { isOpen: true };
    try {
      return await this.#inside.run(scope, work);
    } finally {
      scope.isOpen = false;
    }
  }

  /**
   * Throws inside a transaction: the statement would run outside it, and deadlock when the pool is
   * exhausted.
   */
  #refuseInsideTransaction(what: string): void {
    if (this.#inside.getStore()?.isOpen)
      throw new Error(`database.${what} inside a transaction: use the transaction itself`);
  }
}

function addressOf(config: ClientConfig): DatabaseAddress {
  const { host, port, database } = new Client(config);
  return { host, port, database: database ?? "" };
}

function reasonOf(error: unknown): string {
  const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
  if (cause instanceof AggregateError) return cause.errors.map((one: unknown) => String(one)).join("; ");
  return cause instanceof Error ? cause.message : String(cause);
}
