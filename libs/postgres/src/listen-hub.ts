import { AsyncLocalStorage } from "node:async_hooks";
import { type Abortable, deadline, derive, fullJitter, onAbort, sleep, within } from "@plumbline/concurrency";
import { ServiceError } from "@plumbline/errors";
import type { Logger } from "@plumbline/telemetry";
import { escapeIdentifier } from "pg";
import type { Connection } from "./connection.ts";
import { type Notification, NotificationQueue } from "./notification-queue.ts";

export interface ListenOptions extends Abortable {
  /** Called when the lost connection is back. Notifications in between are missing. */
  readonly onReconnect?: (() => void) | undefined;
}

/**
 * The notifications of one channel. Each one, also a `missed` one, is a hint to read: something may
 * have changed. Iterating throws the reason of an aborted signal, and ends once disposed.
 */
export interface Listener extends AsyncIterable<Notification>, AsyncDisposable {}

export interface ListenHubOptions {
  readonly connectTimeoutMs: number;
  readonly heartbeatMs: number;
  readonly heartbeatTimeoutMs: number;
  /**
   * The most notifications that wait per listener. Beyond that they are dropped and one `missed` is
   * yielded.
   */
  readonly capacity: number;
}

interface Entry {
  readonly queue: NotificationQueue;
  readonly onReconnect: (() => void) | undefined;
}

const backoff = { baseMs: 100, maxMs: 5000 };

/**
 * The listeners of a process, all on one connection that the first one opens. A lost connection is
 * retried until it is back. Then every channel is subscribed again and every listener gets
 * `missed`. A heartbeat finds a connection that is dead without having been closed, on which
 * nothing would arrive (timgit/pg-boss#850).
 */
export class ListenHub implements AsyncDisposable {
  readonly #open: (options: Abortable) => Promise<Connection>;
  readonly #options: ListenHubOptions;
  readonly #logger: Logger;
  readonly #channels = new Map<string, Set<Entry>>();
  readonly #scope = derive();
  // Reconnecting and heartbeats must not run in the context of the first request.
  readonly #detached = AsyncLocalStorage.snapshot();
  /** The connection, open or being opened. */
  #connection: Promise<Connection> | undefined;
  #live: Connection | undefined;

  constructor(open: (options: Abortable) => Promise<Connection>, options: ListenHubOptions, logger: Logger) {
    this.#open = open;
    this.#options = options;
    this.#logger = logger;
  }

  /** Resolves once the server listens. Later notifications arrive. */
  async listen(channel: string, options: ListenOptions): Promise<Listener> {
    const { signal } = options;
    const entry: Entry = { queue: new NotificationQueue(this.#options.capacity), onReconnect: options.onReconnect };
    const entries = this.#channels.get(channel) ?? new Set();
    this.#channels.set(channel, entries.add(entry));
    try {
      await this.#listenOn(channel, options);
    } catch (error) {
      await this.#leave(channel, entry);
      throw error;
    }
    return {
      [Symbol.asyncIterator]: () => entry.queue.values({ signal }),
      [Symbol.asyncDispose]: async () => await this.#leave(channel, entry),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const connection = this.#connection;
    this.#scope.abort(new ServiceError("unavailable", "the database is closed"));
    for (const entries of this.#channels.values()) for (const entry of entries) entry.queue.close();
    this.#channels.clear();
    await connection?.then((open) => open[Symbol.asyncDispose]()).catch(() => undefined);
  }

  /** Subscribes within the connect timeout, also while the connection is being reopened. */
  async #listenOn(channel: string, options: Abortable): Promise<void> {
    this.#scope.signal.throwIfAborted();
    using limit = deadline(this.#options.connectTimeoutMs, options);
    this.#connection ??= this.#detached(() => this.#first());
    const connection = await within(this.#connection, limit).catch((error: unknown) => {
      options.signal?.throwIfAborted();
      // The connect timeout, not the signal of the caller.
      if (limit.signal.aborted) throw new ServiceError("unavailable", "the database cannot be reached");
      throw error;
    });
    await connection.run(listenTo(channel), { signal: limit.signal });
  }

  async #leave(channel: string, entry: Entry): Promise<void> {
    entry.queue.close();
    const entries = this.#channels.get(channel);
    if (entries?.delete(entry) !== true || entries.size > 0) return;
    this.#channels.delete(channel);
    // The statements of a connection run in order, so a later LISTEN runs after this. Without a
    // connection there is nothing to undo, and waiting for one would delay the caller.
    await this.#live?.runToEnd([{ text: `UNLISTEN ${escapeIdentifier(channel)}` }]).catch(() => undefined);
  }

  async #first(): Promise<Connection> {
    try {
      return this.#adopt(await this.#open(this.#scope));
    } catch (error) {
      this.#connection = undefined;
      throw error;
    }
  }

  #adopt(connection: Connection): Connection {
    connection.onNotification(({ channel, payload }) => {
      for (const entry of this.#channels.get(channel) ?? []) entry.queue.push(payload ?? "");
    });
    this.#live = connection;
    connection.beatEvery(this.#options.heartbeatMs, this.#options.heartbeatTimeoutMs);
    onAbort(connection.lost, () => {
      this.#live = undefined;
      if (this.#scope.signal.aborted) return;
      this.#logger.warn("listening connection lost", { error: String(connection.lost.reason) });
      this.#connection = this.#detached(() => this.#again());
      this.#connection.catch(() => undefined); // Rejects only on close.
    });
    return connection;
  }

  async #again(): Promise<Connection> {
    for (let attempt = 1; ; attempt++) {
      await sleep(fullJitter(attempt, backoff), this.#scope);
      try {
        const connection = await this.#open(this.#scope);
        try {
          for (const channel of this.#channels.keys()) await connection.run(listenTo(channel), this.#scope);
        } catch (error) {
          connection.destroy(error);
          throw error;
        }
        this.#adopt(connection);
        this.#logger.info("listening connection restored", { attempt });
        for (const entries of this.#channels.values()) for (const entry of entries) this.#notifyMissed(entry);
        return connection;
      } catch (error) {
        this.#scope.signal.throwIfAborted();
        this.#logger.debug("listening connection not restored yet", { attempt, error: String(error) });
      }
    }
  }

  #notifyMissed(entry: Entry): void {
    entry.queue.missed();
    try {
      entry.onReconnect?.();
    } catch (error) {
      this.#logger.error("onReconnect threw", error);
    }
  }
}

function listenTo(channel: string): { text: string } {
  return { text: `LISTEN ${escapeIdentifier(channel)}` };
}
