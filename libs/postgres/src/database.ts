import { AsyncLocalStorage } from "node:async_hooks";
import { type Abortable, deadline, onAbort, retry, Semaphore } from "@plumbline/concurrency";
import { codeOf, ServiceError } from "@plumbline/errors";
import type { Telemetry } from "@plumbline/telemetry";
import { Connection, type Statement } from "./connection.ts";
import { addressOf, Credentials, type DatabaseUrl, type FollowedUrl, isFollowed, type Login } from "./credentials.ts";
import { isConflict, isLoginRefused, readOnlyReason } from "./errors.ts";
import { type Listener, ListenHub, type ListenOptions } from "./listen-hub.ts";
import { type Observe, observePool, observeRotations, observer } from "./observe.ts";
import { ConnectionPool } from "./pool.ts";
import { type Queryable, queryWith } from "./queryable.ts";
import { runSession, type Session } from "./session.ts";
import { type Isolation, runTransaction, type Transaction } from "./transaction.ts";
import { valueTypes } from "./values.ts";

export interface DatabaseOptions {
  /**
   * postgresql://role:password@host:port/name, or a secret that reveals it, or a URL that may
   * change. Connections with an older one are closed within a second or when they come back.
   */
  readonly url: DatabaseUrl | FollowedUrl;
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
  /**
   * The time that a statement whose caller gave up has to end by itself before it is cancelled.
   * Default 50 ms.
   */
  readonly cancelAfterMs?: number | undefined;
  /** The limit for a statement whose caller sets no deadline. Default 30 s. */
  readonly statementMs?: number | undefined;
  /** The longest wait for the answer to a COMMIT, which is never cancelled. Default 30 s. */
  readonly commitTimeoutMs?: number | undefined;
  /** The longest that closing waits for running statements. Default 5 s. */
  readonly closeTimeoutMs?: number | undefined;
  /**
   * The idle time after which the server ends a transaction, so that a stopped process holds no
   * locks. Default 20 s.
   */
  readonly idleInTransactionMs?: number | undefined;
  /** The most sessions at a time. Default 4. */
  readonly maxSessions?: number | undefined;
  /**
   * The interval of heartbeats on idle connections, which find those that the network forgot. The
   * server ends a connection after three intervals without one, at least 30 s. Default 10 s.
   */
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
  /**
   * Resolves if the server answers and takes writes. Rejects with `unavailable` and the reason
   * DATABASE_READ_ONLY on a standby or an old primary. It is bound, so that it can be passed as a
   * health check.
   */
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
    await retry(() => database.reach(limit), {
      attempts: 1000,
      baseMs: 100,
      maxMs: 1000,
      retryable: (error) => codeOf(error) === "unavailable" && !isLoginRefused(error),
      signal: limit.signal,
    });
  } catch (error) {
    await database[Symbol.asyncDispose]();
    const isAway = ["unavailable", "deadline_exceeded"].includes(codeOf(error)) && !isLoginRefused(error);
    const code = isAway ? "unavailable" : "failed_precondition";
    throw new ServiceError(code, `cannot open ${database.description}: ${reasonOf(error)}`, { cause: error });
  }
  return database;
}

const usualHeartbeatMs = 10_000;

/** A transaction of a standby is read-only too. */
const isReadOnly = "SELECT current_setting('transaction_read_only')::boolean AS refuses";

/**
 * Returns the settings by which the server ends a session whose client is gone without a FIN. It
 * keeps its advisory locks until then, by the server's defaults for two hours.
 *
 * The server's kernel finds a client that is gone after 10 s of silence and three probes 5 s apart,
 * or when data stays without an acknowledgement for 25 s. Behind a proxy that has lost the client,
 * the proxy's kernel acknowledges both. There the server ends the session because the heartbeats
 * stay out.
 */
function serverKeepalive(heartbeatMs: number): string {
  return [
    "-c tcp_keepalives_idle=10",
    "-c tcp_keepalives_interval=5",
    "-c tcp_keepalives_count=3",
    "-c tcp_user_timeout=25000",
    `-c idle_session_timeout=${Math.max(30_000, 3 * heartbeatMs)}`,
  ].join(" ");
}

class PostgresDatabase implements Database {
  readonly #credentials: Credentials;
  readonly #connectTimeoutMs: number;
  readonly #cancelTimeoutMs: number;
  readonly #cancelAfterMs: number;
  readonly #statementMs: number;
  readonly #heartbeatMs: number;
  readonly #pool: ConnectionPool;
  readonly #sessions: Semaphore;
  readonly #hub: ListenHub;
  readonly #settings: { readonly observe: Observe; readonly commitTimeoutMs: number };
  /** Connections outside the pool: of sessions and of listening. */
  readonly #others = new Set<Connection>();
  readonly #resources = new DisposableStack();
  readonly #inside = new AsyncLocalStorage<{ isOpen: boolean }>();
  /** The database and its address, without the password. */
  readonly description: string;

  constructor(options: DatabaseOptions, telemetry: Telemetry) {
    const { heartbeatMs = usualHeartbeatMs } = options;
    const rest = {
      application_name: options.applicationName,
      types: valueTypes,
      keepAlive: true,
      keepAliveInitialDelayMillis: 10_000,
      options: serverKeepalive(heartbeatMs),
      idle_in_transaction_session_timeout: options.idleInTransactionMs ?? 20_000,
    };
    this.#credentials = new Credentials(options.url, rest, (login) => onRotation(login));
    const address = addressOf(this.#credentials.current());
    const onRotation = observeRotations(telemetry, address);
    this.description = `database "${address.database}" at ${address.host}:${address.port}`;
    this.#connectTimeoutMs = options.connectTimeoutMs ?? 5000;
    this.#cancelTimeoutMs = options.cancelTimeoutMs ?? 2000;
    this.#cancelAfterMs = options.cancelAfterMs ?? 50;
    this.#statementMs = options.statementMs ?? 30_000;
    this.#heartbeatMs = heartbeatMs;
    this.#sessions = new Semaphore(options.maxSessions ?? 4);
    this.#pool = new ConnectionPool((opening) => this.#connect(opening), {
      size: options.poolSize ?? 10,
      maxWaiting: options.maxWaiting ?? 1000,
      acquireTimeoutMs: options.acquireTimeoutMs ?? 5000,
      isCurrent: ({ generation }) => generation === this.#credentials.current().generation,
      closeTimeoutMs: options.closeTimeoutMs ?? 5000,
      heartbeatMs,
      heartbeatTimeoutMs: this.#connectTimeoutMs,
    });
    this.#hub = new ListenHub(
      (opening) => this.#connectOther(opening),
      {
        connectTimeoutMs: this.#connectTimeoutMs,
        heartbeatMs,
        heartbeatTimeoutMs: this.#connectTimeoutMs,
        capacity: 1000,
      },
      telemetry.logger.child({ db: address.database }),
    );
    const observe = observer(telemetry, address);
    this.#settings = { observe, commitTimeoutMs: options.commitTimeoutMs ?? 30_000 };
    this.query = queryWith(observe, (statement, waiting) => this.#queryOnce(statement, waiting));
    this.#resources.use(observePool(telemetry, address, this.#pool));
    if (isFollowed(options.url)) {
      const timer = setInterval(() => this.#retire(), retireEveryMs).unref();
      this.#resources.defer(() => clearInterval(timer));
    }
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
    const connection = await this.#connectOther(options);
    connection.beatEvery(this.#heartbeatMs, this.#connectTimeoutMs);
    return await runSession(connection, work, { ...this.#settings, signal: options.signal });
  }

  async listen(channel: string, options: ListenOptions = {}): Promise<Listener> {
    return await this.#hub.listen(channel, options);
  }

  readonly ping = async (options: Abortable = {}): Promise<void> => {
    await this.#pool.use(async (connection) => {
      const { rows } = await connection.run({ text: isReadOnly, name: "is_read_only" }, options);
      if ((rows as readonly { readonly refuses: boolean }[])[0]?.refuses !== true) return;
      const error = new ServiceError("unavailable", `${this.description} is read-only: check that it is the primary`, {
        reason: readOnlyReason,
      });
      connection.destroy(error); // The next one may lead to the new primary.
      throw error;
    }, options);
  };

  /** Resolves once the server answers, also a standby. */
  async reach(options: Abortable): Promise<void> {
    await this.#pool.use((connection) => connection.run({ text: "SELECT 1" }, options), options);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#resources[Symbol.dispose]();
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

  /** Opens a connection. If the login is refused, tries once more with credentials read again. */
  async #connect(options: Abortable): Promise<Connection> {
    const until = performance.now() + this.#connectTimeoutMs;
    const login = this.#credentials.current();
    try {
      return await this.#open(login, this.#connectTimeoutMs, options);
    } catch (error) {
      if (!isLoginRefused(error)) throw error;
      const next = await this.#credentials.after(login, options);
      const leftMs = until - performance.now();
      if (next === undefined || leftMs <= 0) throw error;
      return await this.#open(next, leftMs, options);
    }
  }

  async #connectOther(options: Abortable): Promise<Connection> {
    const connection = await this.#connect(options);
    this.#others.add(connection);
    onAbort(connection.lost, () => this.#others.delete(connection));
    return connection;
  }

  async #open(login: Login, connectTimeoutMs: number, { signal }: Abortable): Promise<Connection> {
    const { config, generation } = login;
    const limits = {
      connectTimeoutMs,
      statementMs: this.#statementMs,
      cancelTimeoutMs: this.#cancelTimeoutMs,
      cancelAfterMs: this.#cancelAfterMs,
    };
    try {
      return await Connection.open(config, { signal, generation, ...limits });
    } catch (error) {
      throw isLoginRefused(error) ? loginRefused(login, error) : error;
    }
  }

  /** Closes connections of older credentials. Those of the pool in use are closed afterwards. */
  #retire(): void {
    const { generation } = this.#credentials.current();
    this.#pool.retire();
    for (const connection of this.#others) if (connection.generation !== generation) connection.retire();
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

/** The interval at which connections of older credentials are looked for. */
const retireEveryMs = 1_000;

function loginRefused({ role }: Login, cause: unknown): ServiceError {
  return new ServiceError("unavailable", `the database refused the login of role "${role}"`, {
    reason: "DATABASE_LOGIN_REFUSED",
    cause,
  });
}

function reasonOf(error: unknown): string {
  const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
  if (cause instanceof AggregateError) return cause.errors.map((one: unknown) => String(one)).join("; ");
  return cause instanceof Error ? cause.message : String(cause);
}
