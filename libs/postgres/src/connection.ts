import { type Abortable, deadline, deadlineOf, onAbort, Semaphore, within } from "@plumbline/concurrency";
import { ServiceError } from "@plumbline/errors";
import { Client, type ClientConfig, DatabaseError, type Notification, type QueryConfig, type QueryResult } from "pg";
import { requestCancel } from "./cancel-request.ts";
import { ruinsConnection, translate } from "./errors.ts";
import { type Opening, queryGroup } from "./opening.ts";
import { coarseTimeout } from "./statement-timeout.ts";

export interface Statement {
  readonly text: string;
  readonly values?: readonly unknown[] | undefined;
  /** Prepared once per connection under this name. */
  readonly name?: string | undefined;
}

export interface RunOptions extends Abortable {
  /**
   * The transaction of the statement. Its first statement opens it; statements after its end are
   * refused.
   */
  readonly opening?: Opening | undefined;
}

export interface OpenOptions extends Abortable {
  /** The generation of its credentials. */
  readonly generation: number;
  readonly connectTimeoutMs: number;
  /** The limit for a statement without a deadline. */
  readonly statementMs: number;
  /**
   * The limit for each of cancelling, rolling back and closing, before the connection is destroyed.
   */
  readonly cancelTimeoutMs: number;
  /** The time that a statement whose caller gave up has to end by itself. */
  readonly cancelAfterMs: number;
}

/**
 * A connection to the server. It runs statements one at a time, in the order of the calls, and
 * cancels them on the server. `lost` aborts when it ends.
 */
export class Connection implements AsyncDisposable {
  /** The generation of the credentials that it was opened with. */
  readonly generation: number;
  readonly #client: Client;
  readonly #cancelTimeoutMs: number;
  readonly #cancelAfterMs: number;
  readonly #statementMs: number;
  readonly #turn = new Semaphore(1);
  readonly #lost = new AbortController();
  /** The session's statement_timeout. NaN after a statement that sets it has failed. */
  #statementTimeoutMs = 0;
  #isOutdated = false;
  #ended: Promise<void> | undefined;

  private constructor(client: Client, options: OpenOptions) {
    this.#client = client;
    this.generation = options.generation;
    this.#cancelTimeoutMs = options.cancelTimeoutMs;
    this.#cancelAfterMs = options.cancelAfterMs;
    this.#statementMs = options.statementMs;
    // pg reports a lost connection here. Without a listener Node would end the process.
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

  /** Aborts with an `unavailable` ServiceError when either side has ended the connection. */
  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  /** True if the next user can have it: it is connected and no transaction is open. */
  get isClean(): boolean {
    return !this.lost.aborted && this.transactionStatus === "I";
  }

  /**
   * The status in the last answer: "I" for none, "T" for an open transaction, "E" for a failed one.
   */
  get transactionStatus(): "I" | "T" | "E" | null {
    return this.#client.getTransactionStatus();
  }

  /**
   * Runs a statement. When the signal aborts, the statement is cancelled on the server. The call
   * rejects with the signal's reason once the server has answered both the statement and the
   * cancel. A deadline is also sent as statement_timeout, in case the server loses contact with
   * this process. A statement without a deadline gets one of `statementMs`.
   */
  async run(statement: Statement, options: RunOptions = {}): Promise<QueryResult> {
    const [result] = await this.runAll([statement], options);
    return result as QueryResult;
  }

  /**
   * Runs statements one after the other, and as one if they fail or are cancelled. Those with names
   * take one round trip together once the connection has prepared them.
   */
  async runAll(statements: readonly Statement[], options: RunOptions = {}): Promise<readonly QueryResult[]> {
    const deadlineAt = deadlineOf(options.signal);
    if (deadlineAt !== undefined) return await this.#run(statements, options, deadlineAt);
    using limit = deadline(this.#statementMs, options);
    return await this.#run(statements, { ...options, signal: limit.signal }, undefined);
  }

  async #run(
    statements: readonly Statement[],
    options: RunOptions,
    deadlineAt: number | undefined,
  ): Promise<readonly QueryResult[]> {
    const { signal, opening } = options;
    using _turn = await this.#turn.acquire(options);
    using _retiring = this.#retireAfterwards();
    if (opening === undefined) await this.#limit(deadlineAt, signal);
    else await this.#open(opening, statements, signal);
    const results = await this.#executeAll(statements, signal, opening);
    // The statements succeeded, but the caller has given up.
    signal?.throwIfAborted();
    return results;
  }

  /**
   * Runs statements whose last is COMMIT or ROLLBACK, which must not be cancelled. So none of them
   * is. Destroys the connection if no answer comes in `timeoutMs`.
   */
  async runToEnd(
    statements: readonly Statement[],
    { timeoutMs = this.#cancelTimeoutMs, opening }: { timeoutMs?: number; opening?: Opening } = {},
  ): Promise<readonly QueryResult[]> {
    using _turn = await this.#turn.acquire();
    using _retiring = this.#retireAfterwards();
    const end = statements.at(-1)?.text;
    const timer = setTimeout(() => this.destroy(new Error(`no answer to ${end} within ${timeoutMs} ms`)), timeoutMs);
    try {
      if (opening !== undefined) await this.#open(opening, statements);
      return await this.#executeAll(statements, undefined, opening);
    } finally {
      clearTimeout(timer);
    }
  }

  /**
   * Asks for a sign of life, unless a statement runs or a transaction is open. Destroys the
   * connection if no answer comes in `timeoutMs`.
   */
  async beat(timeoutMs: number): Promise<void> {
    if (!this.isClean) return;
    using turn = this.#turn.tryAcquire();
    if (turn === undefined) return;
    using _retiring = this.#retireAfterwards();
    const timer = setTimeout(() => this.destroy(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
    try {
      await this.#execute([{ text: "SELECT 1" }]);
    } catch {
      // The connection is lost, which `lost` says.
    } finally {
      clearTimeout(timer);
    }
  }

  /** Asks for a sign of life every `everyMs` until the connection is lost. */
  beatEvery(everyMs: number, timeoutMs: number): void {
    const heart = setInterval(() => void this.beat(timeoutMs), everyMs);
    heart.unref();
    onAbort(this.lost, () => clearInterval(heart));
  }

  /** Calls `listener` for each notification until disposed. */
  onNotification(listener: (notification: Notification) => void): Disposable {
    this.#client.on("notification", listener);
    return { [Symbol.dispose]: () => void this.#client.off("notification", listener) };
  }

  /** Destroys the socket. The running statement fails. The server notices at its next write. */
  destroy(cause: unknown): void {
    this.#lose(cause);
    this.#client.connection.stream.destroy();
  }

  /**
   * Ends the session and waits until the server closes, which has then released its locks and
   * listeners.
   */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.lost.aborted) return await this.#ended;
    await this.#end();
  }

  /**
   * Ends the session as if it were lost, since its credentials are no longer valid. While a
   * statement runs or a transaction is open, ends it right afterwards.
   */
  retire(): void {
    this.#isOutdated = true;
    using turn = this.#turn.tryAcquire();
    if (turn !== undefined) this.#endIfOutdated();
  }

  #retireAfterwards(): Disposable {
    return { [Symbol.dispose]: () => this.#endIfOutdated() };
  }

  #endIfOutdated(): void {
    if (!this.#isOutdated || !this.isClean) return;
    this.#lost.abort(new ServiceError("unavailable", "the connection was closed, since the credentials changed"));
    this.#ended = this.#end();
  }

  async #end(): Promise<void> {
    const timer = setTimeout(() => this.#client.connection.stream.destroy(), this.#cancelTimeoutMs);
    await this.#client.end();
    clearTimeout(timer);
  }

  /**
   * Sets the session's statement_timeout. Only outside transactions, since a rollback would undo
   * it.
   */
  async #limit(deadlineAt: number | undefined, signal: AbortSignal | undefined): Promise<void> {
    if (this.transactionStatus !== "I") return;
    const wanted = coarseTimeout(deadlineAt);
    if (wanted === this.#statementTimeoutMs) return;
    this.#statementTimeoutMs = Number.NaN;
    // The default of the role or database may be a limit too.
    await this.#execute([{ text: `SET statement_timeout TO ${wanted === 0 ? "DEFAULT" : wanted}` }], signal);
    this.#statementTimeoutMs = wanted;
  }

  /**
   * Opens the transaction in separate round trips if its statements are not prepared yet, once per
   * connection. Also before a statement without name and values, which may be several. Otherwise
   * the first statement opens it.
   */
  async #open(opening: Opening, statements: readonly Statement[], signal?: AbortSignal): Promise<void> {
    if (opening.isSent) return;
    const before = this.#textsOf(opening).map((text) => ({ text, name: text }));
    const isExtended = statements.every(({ name, values }) => (name ?? values) !== undefined);
    if (isExtended && this.#arePrepared(before)) return;
    opening.isSent = true;
    for (const statement of before) await this.#execute([statement], signal);
  }

  /** Returns true if the server has prepared each of the statements. */
  #arePrepared(statements: readonly Statement[]): boolean {
    const { parsedStatements } = this.#client.connection as unknown as { parsedStatements: Record<string, string> };
    return statements.every(({ name }) => name !== undefined && parsedStatements[name] !== undefined);
  }

  #textsOf({ begin, limitMs }: Opening): string[] {
    if (limitMs === this.#statementTimeoutMs) return [begin];
    return [begin, `SET LOCAL statement_timeout TO ${limitMs === 0 ? "DEFAULT" : limitMs}`];
  }

  async #send(statements: readonly Statement[], opening: Opening | undefined): Promise<readonly QueryResult[]> {
    const before = statements.map(toQuery);
    const last = before.pop();
    if (last === undefined) return [];
    if (opening?.isSent === false) {
      opening.isSent = true;
      before.unshift(...this.#textsOf(opening).map((text) => ({ text, name: text })));
      return (await queryGroup(this.#client, before, last)).slice(-statements.length);
    }
    // The statement would be committed at once.
    if (opening !== undefined && this.transactionStatus === "I")
      throw new Error("the transaction is not open: one of its statements ended it, or its BEGIN failed");
    return before.length === 0 ? [await this.#client.query(last)] : await queryGroup(this.#client, before, last);
  }

  /** Executes statements in one round trip, or one by one until they are prepared. */
  async #executeAll(
    statements: readonly Statement[],
    signal?: AbortSignal,
    opening?: Opening,
  ): Promise<readonly QueryResult[]> {
    if (this.#arePrepared(statements.slice(0, -1))) return await this.#execute(statements, signal, opening);
    const results: QueryResult[] = [];
    for (const statement of statements) results.push(...(await this.#execute([statement], signal, opening)));
    return results;
  }

  async #execute(
    statements: readonly Statement[],
    signal?: AbortSignal,
    opening?: Opening,
  ): Promise<readonly QueryResult[]> {
    signal?.throwIfAborted();
    if (this.lost.aborted) throw this.lost.reason;
    const execution = this.#send(statements, opening);
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
      const isNamed = statements.some(({ name }) => name !== undefined);
      if (ruinsConnection(error) || (isNamed && !(error instanceof DatabaseError))) {
        // The second condition: pg counts a named statement as prepared after it closed it over a
        // value it cannot write.
        this.destroy(error);
      } else await this.#untilReady();
      signal?.throwIfAborted();
      throw translate(error);
    } finally {
      link[Symbol.dispose]();
      // Until then the cancel could hit the next statement, so none may run.
      await cancelling;
    }
  }

  /**
   * Repeats the cancel until the statement has ended, since a request that overtakes its statement
   * finds an idle backend and does nothing. Destroys the connection if that does not help, or if a
   * request may still be in flight.
   */
  async #cancel(settled: Promise<void>, isSettled: () => boolean): Promise<void> {
    // A cancel costs the server a connection and a process. Most statements have less left to do.
    if (this.#cancelAfterMs > 0) await within(settled, { ms: this.#cancelAfterMs }).catch(() => undefined);
    const giveUpAt = performance.now() + this.#cancelTimeoutMs;
    try {
      for (let waitMs = 10; !isSettled() && !this.lost.aborted; waitMs = Math.min(waitMs * 2, 500)) {
        const leftMs = giveUpAt - performance.now();
        if (leftMs <= 0)
          throw new Error(`the statement did not end within ${this.#cancelTimeoutMs} ms after its cancel`);
        await requestCancel(this.#client, leftMs);
        await within(settled, { ms: Math.min(waitMs, leftMs) }).catch(() => undefined);
      }
    } catch (error) {
      this.destroy(error);
    }
  }

  /**
   * Waits until the server is ready: an error arrives before that, and before the transaction
   * status.
   */
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
