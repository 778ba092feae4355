import { type Abortable, type Backoff, deadline, fullJitter, onAbort, sleep } from "@plumbline/concurrency";
import { ServiceError } from "@plumbline/errors";
import { createClient } from "@redis/client";
import { take } from "./gcra-script.ts";

export interface LinkOptions {
  /** redis://user:password@host:port/database, or rediss: for TLS. */
  readonly url: string;
  /** The longest a command may take. */
  readonly commandMs: number;
  /** Told when Redis is lost, with the reason, and when it is there again. Each once, in turns. */
  readonly onLost: (error: unknown) => void;
  readonly onFound: () => void;
}

type RedisClient = ReturnType<typeof newClient>;

/** How long a connection may take to stand, the handshake included. */
const connectMs = 1_000;
const backoff: Backoff = { baseMs: 100, maxMs: 5_000 };

/**
 * One connection to Redis. A command that fails, or is late, gives the connection up: everything on it rejects at once, so
 * do new commands, and a new connection is tried with full jitter until one answers. So no command ever waits for a Redis
 * that is away, and a connection whose other end is gone without a word is not kept. The client's own reconnection would
 * keep it, as the system needs a quarter of an hour to notice.
 */
export class RedisLink implements AsyncDisposable {
  readonly #options: LinkOptions;
  readonly #stop = new AbortController();
  #client: RedisClient | undefined;
  #finding: Promise<void> = Promise.resolve();
  /** Attempts to connect since a command was last answered. */
  #attempts = 0;

  constructor(options: LinkOptions) {
    this.#options = options;
  }

  /** Resolves when the first attempt to connect has ended, with or without success. It goes on trying. */
  async open(): Promise<void> {
    try {
      await this.#connect();
    } catch (error) {
      this.#options.onLost(error);
      this.#finding = this.#find();
    }
  }

  /** Rejects with what Redis answered, with `unavailable` when it is away, or with a TimeoutError. */
  async run<T>(command: (client: RedisClient) => Promise<T>): Promise<T> {
    const client = this.#client;
    if (client === undefined) throw new ServiceError("unavailable", "Redis is away");
    try {
      const answer = await inTime(command(client), this.#options.commandMs);
      this.#attempts = 0;
      return answer;
    } catch (error) {
      this.#lose(client, error);
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    this.#client?.destroy();
    this.#client = undefined;
    await this.#finding;
  }

  #lose(client: RedisClient, error: unknown): void {
    if (this.#client !== client) return;
    this.#client = undefined;
    client.destroy();
    this.#options.onLost(error);
    this.#finding = this.#find();
  }

  async #find(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      try {
        // A Redis that answers PING and refuses commands (READONLY, NOPERM) is found and lost again: less and less often.
        await sleep(fullJitter(++this.#attempts, backoff), { signal });
        await this.#connect({ signal });
        return this.#options.onFound();
      } catch {
        // That it is away was said when it was lost; how often it was tried since is no news.
      }
    }
  }

  async #connect(options: Abortable = {}): Promise<void> {
    const client = newClient(this.#options.url);
    // One handler for as long as the client lives: an error event that nobody hears ends the process.
    client.on("error", (error: unknown) => this.#lose(client, error));
    using limit = deadline(connectMs, options);
    const giveUp = Promise.withResolvers<never>();
    using _ = onAbort(limit.signal, () => giveUp.reject(limit.signal.reason));
    try {
      // An answer and not only a connection: a Redis that loads its data, or lets us do nothing, is no use.
      await Promise.race([client.connect().then(() => client.ping()), giveUp.promise]);
      this.#stop.signal.throwIfAborted();
    } catch (error) {
      client.destroy();
      throw error;
    }
    this.#client = client;
  }
}

function newClient(url: string) {
  return createClient({
    url,
    scripts: { take },
    disableOfflineQueue: true,
    maintNotifications: "disabled",
    name: "plumbline-gateway",
    socket: { connectTimeout: connectMs, reconnectStrategy: false },
  });
}

/**
 * Rejects after `ms`, but not before what has arrived was read: when this process was busy for longer, the timer comes
 * first though the answer is in the socket.
 */
async function inTime<T>(answer: Promise<T>, ms: number): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    setImmediate(() => late.reject(new DOMException(`Redis did not answer within ${ms} ms`, "TimeoutError")));
  }, ms);
  try {
    return await Promise.race([answer, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
