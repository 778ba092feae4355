import { AsyncLocalStorage } from "node:async_hooks";
import { type Abortable, deadline, derive, fullJitter, onAbort, sleep, within } from "@plumbline/concurrency";
import { ServiceError } from "@plumbline/errors";
import type { Logger } from "@plumbline/telemetry";
import { escapeIdentifier } from "pg";
import type { Connection } from "./connection.ts";
import { type Notification, NotificationQueue } from "./notification-queue.ts";

export interface ListenOptions extends Abortable {
  /** The connection was lost and is back: what was notified in between never came. */
  readonly onReconnect?: (() => void) | undefined;
}

/**
 * What is notified on one channel. A notification is a hint to read: each one yielded, `missed` ones too, means that
 * something may have changed. Iterating throws the signal's reason when that aborts, and ends once disposed.
 */
export interface Listener extends AsyncIterable<Notification>, AsyncDisposable {}

export interface ListenHubOptions {
  readonly connectTimeoutMs: number;
  readonly heartbeatMs: number;
  readonly heartbeatTimeoutMs: number;
  /** Notifications that wait per listener; past it they are dropped, and the listener is told to read again. */
  readonly capacity: number;
}

interface Entry {
  readonly queue: NotificationQueue;
  readonly onReconnect: (() => void) | undefined;
}

const backoff = { baseMs: 100, maxMs: 5000 };

/**
 * All listeners of a process on one connection, opened with the first. When it is lost, it is opened again until that
 * works; every channel is listened to again and every listener told. A heartbeat finds the connection that is dead
 * without having been closed: nothing would ever arrive on it (timgit/pg-boss#850).
 */
export class ListenHub implements AsyncDisposable {
  readonly #open: (options: Abortable) => Promise<Connection>;
  readonly #options: ListenHubOptions;
  readonly #logger: Logger;
  readonly #channels = new Map<string, Set<Entry>>();
  readonly #scope = derive();
  // Reconnecting and heartbeats belong to nobody's request, whoever came first.
  readonly #detached = AsyncLocalStorage.snapshot();
  /** Being opened, or open. */
  #connection: Promise<Connection> | undefined;
  #live: Connection | undefined;

  constructor(open: (options: Abortable) => Promise<Connection>, options: ListenHubOptions, logger: Logger) {
    this.#open = open;
    this.#options = options;
    this.#logger = logger;
  }

  /** Resolves once the server listens: what is notified after that arrives. */
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

  /** Within the connect timeout, also while the connection is being opened again. */
  async #listenOn(channel: string, options: Abortable): Promise<void> {
    this.#scope.signal.throwIfAborted();
    using limit = deadline(this.#options.connectTimeoutMs, options);
    this.#connection ??= this.#detached(() => this.#first());
    const connection = await within(this.#connection, limit).catch((error: unknown) => {
      options.signal?.throwIfAborted();
      // The limit is ours: the connection is still being opened.
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
    // The statements of a connection run in order: who listens from now on does so after this. While there is no
    // connection there is nothing to undo, and waiting for one would hold up whoever leaves.
    await this.#live?.runToEnd(`UNLISTEN ${escapeIdentifier(channel)}`).catch(() => undefined);
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
    const heart = setInterval(() => void this.#beat(connection), this.#options.heartbeatMs);
    heart.unref();
    onAbort(connection.lost, () => {
      clearInterval(heart);
      this.#live = undefined;
      if (this.#scope.signal.aborted) return;
      this.#logger.warn("listening connection lost", { error: String(connection.lost.reason) });
      this.#connection = this.#detached(() => this.#again());
      this.#connection.catch(() => undefined); // Only closing ends it.
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
        this.#logger.info("listening connection is back", { attempt });
        for (const entries of this.#channels.values()) for (const entry of entries) this.#tell(entry);
        return connection;
      } catch (error) {
        this.#scope.signal.throwIfAborted();
        this.#logger.debug("cannot listen yet", { attempt, error: String(error) });
      }
    }
  }

  #tell(entry: Entry): void {
    entry.queue.missed();
    try {
      entry.onReconnect?.();
    } catch (error) {
      this.#logger.error("onReconnect threw", error);
    }
  }

  async #beat(connection: Connection): Promise<void> {
    // Cuts the connection when no answer comes.
    await connection.runToEnd("SELECT 1", this.#options.heartbeatTimeoutMs).catch(() => undefined);
  }
}

function listenTo(channel: string): { text: string } {
  return { text: `LISTEN ${escapeIdentifier(channel)}` };
}
