import { type Abortable, type Backoff, deadline, fullJitter, sleep, within } from "@plumbline/concurrency";
import { ServiceError } from "@plumbline/errors";

/** The part of a Redis client that the link uses. */
interface RedisClient {
  connect(): Promise<unknown>;
  ping(): Promise<unknown>;
  /** Closes the connection once the commands that run have their replies. */
  close(): Promise<unknown>;
  destroy(): void;
  on(event: "error", listener: (error: unknown) => void): unknown;
}

export interface LinkOptions<Client extends RedisClient> {
  /** Makes a client that is not connected yet and never reconnects by itself. */
  readonly connect: () => Client;
  /** The longest that a command may take. */
  readonly commandMs: number;
  /**
   * Called when the connection is lost, with the reason, and when it is found again. The calls
   * alternate.
   */
  readonly onLost: (error: unknown) => void;
  readonly onFound: () => void;
}

/** The longest that connecting may take, handshake included. */
export const connectMs = 1_000;
const backoff: Backoff = { baseMs: 100, maxMs: 5_000 };

/**
 * One connection to Redis. When a command fails or is late, the connection is dropped: everything
 * on it rejects at once, and so do new commands, while new connections are tried with full jitter
 * until Redis replies. So no command waits for a Redis that is unreachable, and a connection whose
 * other end vanished silently is not kept. The client's own reconnection would keep it for the
 * quarter of an hour that the operating system needs to notice.
 */
export class RedisLink<Client extends RedisClient> implements AsyncDisposable {
  readonly #options: LinkOptions<Client>;
  readonly #stop = new AbortController();
  #client: Client | undefined;
  #finding: Promise<void> = Promise.resolve();
  /** Attempts to connect since the last reply to a command. */
  #attempts = 0;

  constructor(options: LinkOptions<Client>) {
    this.#options = options;
  }

  /**
   * Resolves when the first attempt to connect has ended, with or without success. Attempts go on.
   */
  async open(): Promise<void> {
    try {
      await this.#connect();
    } catch (error) {
      this.#options.onLost(error);
      this.#finding = this.#find();
    }
  }

  /**
   * Runs a command. Rejects with the error that Redis replies, with `unavailable` while Redis is
   * unreachable, or with a TimeoutError.
   */
  async run<T>(command: (client: Client) => Promise<T>): Promise<T> {
    const client = this.#client;
    if (client === undefined) throw new ServiceError("unavailable", "Redis is unreachable");
    try {
      const reply = await within(command(client), { ms: this.#options.commandMs, what: "the Redis command" });
      this.#attempts = 0;
      return reply;
    } catch (error) {
      this.#lose(client, error);
      throw error;
    }
  }

  /**
   * Replaces the connection, whose credentials have changed. Commands that run end on the old one.
   * Does nothing while Redis is unreachable, since the next connection has the new credentials.
   * Rejects if Redis refuses them; the old connection stays then.
   */
  async renew(options: Abortable = {}): Promise<void> {
    const old = this.#client;
    if (old === undefined) return;
    const client = await this.#open(options);
    if (this.#client !== old) return client.destroy(); // Lost meanwhile.
    this.#client = client;
    await within(old.close(), { ms: this.#options.commandMs }).catch(() => old.destroy());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    this.#client?.destroy();
    this.#client = undefined;
    await this.#finding;
  }

  #lose(client: Client, error: unknown): void {
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
        // A Redis that replies to PING but refuses commands (READONLY, NOPERM) is found and lost in
        // turns. Each turn waits longer than the one before.
        await sleep(fullJitter(++this.#attempts, backoff), { signal });
        await this.#connect({ signal });
        return this.#options.onFound();
      } catch {
        // The loss was reported when it happened; failed attempts add nothing.
      }
    }
  }

  async #connect(options: Abortable = {}): Promise<void> {
    this.#client = await this.#open(options);
  }

  async #open(options: Abortable): Promise<Client> {
    const client = this.#options.connect();
    // Kept for the client's whole life: an error event without a listener ends the process.
    client.on("error", (error: unknown) => this.#lose(client, error));
    using limit = deadline(connectMs, options);
    try {
      // A reply and not only a connection: Redis may still be loading its data, or refuse this
      // user.
      await within(
        client.connect().then(() => client.ping()),
        limit,
      );
      this.#stop.signal.throwIfAborted();
    } catch (error) {
      client.destroy();
      throw error;
    }
    return client;
  }
}
