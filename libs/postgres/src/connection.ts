import { type Abortable, deadlineOf, onAbort, Semaphore, within } from "@plumbline/concurrency";
import { ServiceError } from "@plumbline/errors";
import { Client, type ClientConfig, DatabaseError, type Notification, type QueryConfig, type QueryResult } from "pg";
import { requestCancel } from "./cancel-request.ts";
import { ruinsConnection, translate } from "./errors.ts";
import { type Opening, queryBehind } from "./opening.ts";
import { coarseTimeout } from "./statement-timeout.ts";

export interface Statement {
  readonly text: string;
  readonly values?: readonly unknown[] | undefined;
  /** Prepared once per connection under this name. */
  readonly name?: string | undefined;
}

export interface RunOptions extends Abortable {
  /** The transaction the statement belongs to: opened with its first one, and refused once it is open no more. */
  readonly opening?: Opening | undefined;
}

export interface OpenOptions extends Abortable {
  readonly connectTimeoutMs: number;
  /** How long cancelling, rolling back and closing may each take before the connection is cut. */
  readonly cancelTimeoutMs: number;
}

/**
 * One connection to the server. Runs statements one at a time, in the order of the calls, and cancels them on the
 * server; `lost` tells when it ends.
 */
export class Connection implements AsyncDisposable {
  readonly #client: Client;
  readonly #cancelTimeoutMs: number;
  readonly #turn = new Semaphore(1);
  readonly #lost = new AbortController();
  /** The session's setting; NaN when a statement that sets it failed. */
  #statementTimeoutMs = 0;
  /** What opens transactions, prepared under its own text: a handful of texts. */
  readonly #prepared = new Set<string>();

  private constructor(client: Client, options: OpenOptions) {
    this.#client = client;
    this.#cancelTimeoutMs = options.cancelTimeoutMs;
    // pg reports a lost connection here, and Node ends the process where nobody listens.
    client.on("error", (error) => this.#lose(error));
    client.on("end", () => this.#lose(new Error("Connection terminated")));
  }

  static async open(config: ClientConfig, options: OpenOptions): Promise<Connection> {
    const { signal } = options;
    signal?.throwIfAborted();
    const client = new Client({ ...config, connectionTimeoutMillis: options.connectTimeoutMs });
    const connection = new Connection(client, options);
    using _link = onAbort(signal, () => connection.destroy(signal?.reason));
    try {
      await client.connect();
    } catch (error) {
      connection.destroy(error);
      signal?.throwIfAborted();
      throw translate(error);
    }
    return connection;
  }

  /** Aborts, with an `unavailable` ServiceError, when the connection has ended, by us or by the server. */
  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  /** Whether it can be given to the next user: it lives, and no transaction is open. */
  get isClean(): boolean {
    return !this.lost.aborted && this.transactionStatus === "I";
  }

  /** As of the last answer: "I" none, "T" in a transaction, "E" in one that failed. */
  get transactionStatus(): "I" | "T" | "E" | null {
    return this.#client.getTransactionStatus();
  }

  /**
   * Runs a statement. When the signal aborts, it is cancelled on the server; the call then rejects with the signal's
   * reason, once the server has answered for the statement and the cancel. A deadline also goes along as
   * statement_timeout, for a server that no longer hears from us.
   */
  async run(statement: Statement, options: RunOptions = {}): Promise<QueryResult> {
    const { signal, opening } = options;
    using _turn = await this.#turn.acquire(options);
    if (opening === undefined) await this.#limit(signal);
    else await this.#open(opening, statement, signal);
    const result = await this.#execute(statement, signal, opening);
    // Done, but the caller has been told otherwise.
    signal?.throwIfAborted();
    return result;
  }

  /** Runs what must not be cancelled (COMMIT, ROLLBACK). Cuts the connection when there is no answer after `timeoutMs`. */
  async runToEnd(text: string, timeoutMs = this.#cancelTimeoutMs): Promise<QueryResult> {
    using _turn = await this.#turn.acquire();
    const timer = setTimeout(() => this.destroy(new Error(`no answer to ${text} within ${timeoutMs} ms`)), timeoutMs);
    try {
      return await this.#execute({ text });
    } finally {
      clearTimeout(timer);
    }
  }

  /** Until disposed. */
  onNotification(listener: (notification: Notification) => void): Disposable {
    this.#client.on("notification", listener);
    return { [Symbol.dispose]: () => void this.#client.off("notification", listener) };
  }

  /** Cuts the connection. The statement it ran fails; the server notices when it next writes to it. */
  destroy(cause: unknown): void {
    this.#lose(cause);
    this.#client.connection.stream.destroy();
  }

  /** Says goodbye and waits for the server to close, by when it has released locks and listeners. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.lost.aborted) return;
    const timer = setTimeout(() => this.#client.connection.stream.destroy(), this.#cancelTimeoutMs);
    await this.#client.end();
    clearTimeout(timer);
  }

  /** Only outside transactions: a rollback would undo the setting. */
  async #limit(signal: AbortSignal | undefined): Promise<void> {
    if (this.transactionStatus !== "I") return;
    const wanted = coarseTimeout(deadlineOf(signal));
    if (wanted === this.#statementTimeoutMs) return;
    this.#statementTimeoutMs = Number.NaN;
    // The default is the role's or the database's, which may be a limit too.
    await this.#execute({ text: `SET statement_timeout TO ${wanted === 0 ? "DEFAULT" : wanted}` }, signal);
    this.#statementTimeoutMs = wanted;
  }

  /**
   * Opens the transaction in round trips of its own, once for each connection, which prepares that; and before a statement
   * without name and values, which may be several. Otherwise it opens with its first statement.
   */
  async #open(opening: Opening, { name, values }: Statement, signal: AbortSignal | undefined): Promise<void> {
    if (opening.isSent) return;
    const texts = this.#textsOf(opening);
    if ((name ?? values) !== undefined && texts.every((text) => this.#prepared.has(text))) return;
    opening.isSent = true;
    for (const text of texts) {
      await this.#execute({ text, name: text }, signal);
      this.#prepared.add(text);
    }
  }

  #textsOf({ begin, limitMs }: Opening): string[] {
    if (limitMs === this.#statementTimeoutMs) return [begin];
    return [begin, `SET LOCAL statement_timeout TO ${limitMs === 0 ? "DEFAULT" : limitMs}`];
  }

  #send(statement: Statement, opening: Opening | undefined): Promise<QueryResult> {
    if (opening === undefined) return this.#client.query(toQuery(statement));
    if (!opening.isSent) {
      opening.isSent = true;
      return queryBehind(this.#client, this.#textsOf(opening), toQuery(statement));
    }
    // It would take effect at once, and stay.
    if (this.transactionStatus === "I")
      throw new Error("the transaction is not open: one of its statements ended it, or it never began");
    return this.#client.query(toQuery(statement));
  }

  async #execute(statement: Statement, signal?: AbortSignal, opening?: Opening): Promise<QueryResult> {
    signal?.throwIfAborted();
    if (this.lost.aborted) throw this.lost.reason;
    const execution = this.#send(statement, opening);
    let isSettled = false;
    const settled = execution.then(
      () => void (isSettled = true),
      () => void (isSettled = true),
    );
    let cancelling: Promise<void> | undefined;
    const link = onAbort(signal, () => {
      cancelling = this.#cancel(settled, () => isSettled);
    });
    try {
      return await execution;
    } catch (error) {
      if (ruinsConnection(error) || (statement.name !== undefined && !(error instanceof DatabaseError))) {
        // The second: pg takes a named statement for prepared after it has closed it because of a value it could not write.
        this.destroy(error);
      } else await this.#untilReady();
      signal?.throwIfAborted();
      throw translate(error);
    } finally {
      link[Symbol.dispose]();
      // Until then the cancel may hit whatever runs here, so nobody else may.
      await cancelling;
    }
  }

  /**
   * Asks until the statement has ended: a request that overtakes its statement finds an idle backend and does nothing.
   * Cuts the connection when that does not help, or when a request may still be under way.
   */
  async #cancel(settled: Promise<void>, isSettled: () => boolean): Promise<void> {
    const giveUpAt = Date.now() + this.#cancelTimeoutMs;
    try {
      for (let waitMs = 10; !isSettled() && !this.lost.aborted; waitMs = Math.min(waitMs * 2, 500)) {
        const leftMs = giveUpAt - Date.now();
        if (leftMs <= 0) throw new Error(`the statement did not end within ${this.#cancelTimeoutMs} ms of its cancel`);
        await requestCancel(this.#client, leftMs);
        await within(settled, { ms: Math.min(waitMs, leftMs) }).catch(() => undefined);
      }
    } catch (error) {
      this.destroy(error);
    }
  }

  /** An error comes before the server is ready again, and before its transaction status. */
  async #untilReady(): Promise<void> {
    const { readyForQuery } = this.#client as unknown as { readyForQuery: boolean };
    if (readyForQuery || this.lost.aborted) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#client.once("drain", resolve);
    using _lost = onAbort(this.lost, resolve);
    const timer = setTimeout(
      () => this.destroy(new Error("the server did not become ready after an error")),
      this.#cancelTimeoutMs,
    );
    await promise;
    clearTimeout(timer);
    this.#client.off("drain", resolve);
  }

  #lose(cause: unknown): void {
    if (this.lost.aborted) return;
    this.#lost.abort(new ServiceError("unavailable", "the connection to the database was lost", { cause }));
  }
}

function toQuery(statement: Statement): QueryConfig<unknown[]> {
  const { text, values, name } = statement;
  return { text, ...(values === undefined ? {} : { values: [...values] }), ...(name === undefined ? {} : { name }) };
}
