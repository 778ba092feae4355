import { type Abortable, deadline, onAbort, Semaphore } from "@plumbline/concurrency";
import { ServiceError } from "@plumbline/errors";
import type { Connection } from "./connection.ts";

export interface PoolOptions {
  readonly size: number;
  /** The most callers that wait for a connection. The next one is refused. */
  readonly maxWaiting: number;
  /** The longest wait of a caller. */
  readonly acquireTimeoutMs: number;
  /** Returns true if the connection is as new ones are. Others are closed when they come back. */
  readonly isCurrent: (connection: Connection) => boolean;
  /** The longest that closing waits for connections in use. */
  readonly closeTimeoutMs: number;
  /** The interval at which idle connections are asked for a sign of life, and its limit. */
  readonly heartbeatMs: number;
  readonly heartbeatTimeoutMs: number;
}

/**
 * A pool of at most `size` connections, opened on demand and kept until lost. Up to `maxWaiting`
 * callers wait in order, each up to `acquireTimeoutMs`. Beyond that it throws `resource_exhausted`.
 *
 * Idle connections have a heartbeat. When one that was in use is lost, all idle ones are asked at
 * once, because a network that forgot one connection has often forgotten all.
 */
export class ConnectionPool implements AsyncDisposable {
  readonly #open: (options: Abortable) => Promise<Connection>;
  readonly #options: PoolOptions;
  readonly #permits: Semaphore;
  /** Idle connections. The last returned is used first. */
  readonly #idle: Connection[] = [];
  readonly #all = new Set<Connection>();
  readonly #heart: NodeJS.Timeout;
  /** New callers are refused. */
  #closing = false;
  /** All callers are refused, also waiting ones. */
  #closed = false;

  constructor(open: (options: Abortable) => Promise<Connection>, options: PoolOptions) {
    this.#open = open;
    this.#options = options;
    this.#permits = new Semaphore(options.size);
    this.#heart = setInterval(() => this.#beat(), options.heartbeatMs).unref();
  }

  get size(): number {
    return this.#options.size;
  }

  get inUse(): number {
    return this.#options.size - this.#permits.available;
  }

  get idle(): number {
    return this.#idle.length;
  }

  get waiting(): number {
    return this.#permits.waiting;
  }

  /**
   * Lends a connection to `work`. A connection with an open transaction is destroyed afterwards.
   */
  async use<T>(work: (connection: Connection) => Promise<T>, options: Abortable = {}): Promise<T> {
    if (this.#closing) throw closed();
    await using permit = new AsyncDisposableStack();
    permit.use(await this.#admit(options));
    if (this.#closed) throw closed();
    const connection = this.#idle.pop() ?? (await this.#connect(options));
    try {
      return await work(connection);
    } finally {
      if (connection.lost.aborted) this.#beat();
      else if (!connection.isClean) connection.destroy(new Error("a transaction was left open"));
      else if (this.#closed) await connection[Symbol.asyncDispose]();
      else if (this.#options.isCurrent(connection)) this.#idle.push(connection);
      // The caller has its result. The permit is free once the server has closed the connection.
      else void close(connection, permit.move());
    }
  }

  /** Closes the idle connections that are not current. */
  retire(): void {
    for (const connection of this.#idle.filter((one) => !this.#options.isCurrent(one))) {
      const permit = this.#permits.tryAcquire(); // Until it is closed, so that none is opened beside it.
      if (permit === undefined) return; // All others are in use, so these are about to be.
      this.#idle.splice(this.#idle.indexOf(connection), 1);
      void close(connection, permit);
    }
  }

  /** Refuses new callers, serves earlier ones, then closes. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closing) return;
    this.#closing = true;
    clearInterval(this.#heart);
    using limit = deadline(this.#options.closeTimeoutMs);
    try {
      for (let i = 0; i < this.#options.size; i++) await this.#permits.acquire(limit);
    } catch {
      // Out of time: connections in use are destroyed below.
    }
    this.#closed = true;
    const idle = this.#idle.splice(0);
    await Promise.all(idle.map((connection) => connection[Symbol.asyncDispose]()));
    for (const connection of this.#all) connection.destroy(new Error("the database was closed"));
  }

  /** Asks every idle connection. A caller that takes one meanwhile waits for its answer. */
  #beat(): void {
    for (const connection of this.#idle) void connection.beat(this.#options.heartbeatTimeoutMs);
  }

  async #admit(options: Abortable): Promise<Disposable> {
    options.signal?.throwIfAborted();
    const permit = this.#permits.tryAcquire();
    if (permit !== undefined) return permit;
    const { maxWaiting, acquireTimeoutMs } = this.#options;
    if (this.#permits.waiting >= maxWaiting)
      throw exhausted(`${maxWaiting} callers wait for a connection to the database`);
    using limit = deadline(acquireTimeoutMs, options);
    try {
      return await this.#permits.acquire(limit);
    } catch (error) {
      options.signal?.throwIfAborted();
      throw exhausted(`no connection to the database became free within ${acquireTimeoutMs} ms`, error);
    }
  }

  async #connect(options: Abortable): Promise<Connection> {
    const connection = await this.#open(options);
    this.#all.add(connection);
    onAbort(connection.lost, () => {
      this.#all.delete(connection);
      const place = this.#idle.indexOf(connection);
      if (place !== -1) this.#idle.splice(place, 1);
    });
    return connection;
  }
}

async function close(connection: Connection, permit: Disposable | AsyncDisposable): Promise<void> {
  await using _permit = permit;
  await connection[Symbol.asyncDispose]().catch(() => undefined);
}

function closed(): ServiceError {
  return new ServiceError("unavailable", "the database is closed");
}

function exhausted(message: string, cause?: unknown): ServiceError {
  return new ServiceError("resource_exhausted", message, { reason: "DATABASE_POOL_EXHAUSTED", cause });
}
