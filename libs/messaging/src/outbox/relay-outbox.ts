import { type Backoff, background, deadline, derive, Event, fullJitter, onAbort, sleep } from "@plumbline/concurrency";
import type { Database, Listener } from "@plumbline/postgres";
import type { Telemetry } from "@plumbline/telemetry";
import type { Publisher } from "../broker.ts";
import { type HeldSession, holdSession } from "../hold-session.ts";
import { outboxChannel } from "./migration.ts";
import { outboxGauges } from "./outbox-gauges.ts";
import { oldestRows } from "./outbox-rows.ts";
import { BatchPublisher } from "./publish-batch.ts";

export interface RelayOptions {
  /** Messages per send. Default 200. */
  readonly batchSize?: number | undefined;
  /** Bytes of data per send, one message more or less. Default 1,000,000. */
  readonly batchBytes?: number | undefined;
  /** How often to look without having been told: the net below NOTIFY. Default 1 s. */
  readonly pollMs?: number | undefined;
  /** How often a relay that stands by asks for its turn: how long a fail-over takes. Default 500 ms. */
  readonly standbyMs?: number | undefined;
  /** For the broker to accept a batch. Default 10 s. */
  readonly sendTimeoutMs?: number | undefined;
  /** How long closing waits for the batch under way. Default 5 s. */
  readonly closeMs?: number | undefined;
  /** Pauses while the broker does not accept: full jitter. */
  readonly backoff?: Backoff | undefined;
}

const statementMs = 10_000;

/**
 * Publishes the messages of a service's outbox. Of all relays on one database one is active and the others stand by, by
 * a session advisory lock: two at once would overtake each other within a key. The active one reads and deletes on the
 * session that holds the lock, so one that lost it deletes nothing. While the broker is down rows wait; none is lost.
 */
export async function relayOutbox(
  database: Database,
  publisher: Publisher,
  telemetry: Telemetry,
  options: RelayOptions = {},
): Promise<AsyncDisposable> {
  const relay = new Relay(database, publisher, telemetry, options);
  await relay.start();
  return relay;
}

class Relay implements AsyncDisposable {
  readonly #database: Database;
  readonly #options: RelayOptions;
  readonly #telemetry: Telemetry;
  readonly #batches: BatchPublisher;
  readonly #rows = new Event();
  /** Aborts when closing has waited long enough. */
  readonly #scope = derive();
  readonly #resources = new DisposableStack();
  #listener: Listener | undefined;
  #running: AsyncDisposable | undefined;

  constructor(database: Database, publisher: Publisher, telemetry: Telemetry, options: RelayOptions) {
    this.#database = database;
    this.#options = options;
    this.#telemetry = telemetry;
    this.#batches = new BatchPublisher(publisher, options.sendTimeoutMs ?? 10_000, telemetry);
  }

  async start(): Promise<void> {
    const listener = await this.#database.listen(outboxChannel);
    this.#listener = listener;
    void (async () => {
      for await (const _ of listener) this.#rows.set();
    })();
    this.#resources.use(outboxGauges(this.#database, this.#telemetry));
    this.#running = background((closing) => this.#run(closing));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    using limit = deadline(this.#options.closeMs ?? 5_000);
    using _ = onAbort(limit.signal, () => this.#scope.abort(new Error("the relay closed")));
    await this.#running?.[Symbol.asyncDispose]();
    this.#resources[Symbol.dispose]();
    await this.#listener?.[Symbol.asyncDispose]();
  }

  async #run(closing: AbortSignal): Promise<void> {
    using _ = onAbort(closing, () => this.#rows.set());
    const work = async (session: HeldSession): Promise<void> => {
      if (await this.#becomeActive(session, closing)) await this.#relay(session, closing);
    };
    await holdSession(this.#database, work, {
      closing,
      statementMs,
      onLost: (error, attempt) => {
        this.#telemetry.logger.warn("outbox relay interrupted", { error: String(error), attempt });
      },
    });
  }

  /** False where the relay closed while it stood by. */
  async #becomeActive(session: HeldSession, closing: AbortSignal): Promise<boolean> {
    const { standbyMs = 500 } = this.#options;
    while (!closing.aborted) {
      // Asked again and again: a statement that waits for the lock holds a snapshot, and no dead row of the whole
      // database could be vacuumed meanwhile.
      const sql = "SELECT pg_try_advisory_lock(hashtextextended('plumbline.outbox.relay', 0)) AS active";
      const [row] = await session.query<{ active: boolean }>(sql);
      if (row?.active === true) return true;
      using waiting = derive({ signal: session.signal });
      using _ = onAbort(closing, () => waiting.abort());
      await sleep(standbyMs, waiting).catch(() => session.signal.throwIfAborted());
    }
    return false;
  }

  async #relay(session: HeldSession, closing: AbortSignal): Promise<void> {
    const { batchSize = 200, batchBytes = 1_000_000, pollMs = 1_000 } = this.#options;
    this.#telemetry.logger.info("outbox relay active");
    using sending = derive({ signal: session.signal });
    using _ = onAbort(this.#scope.signal, () => sending.abort(this.#scope.signal.reason));
    for (let attempt = 1; !closing.aborted; ) {
      const rows = await oldestRows(session, batchSize, batchBytes);
      try {
        if (rows.length === 0) await this.#rows.wait({ ms: pollMs, signal: sending.signal });
        else await this.#batches.send(session, rows, sending);
        attempt = 1;
      } catch (error) {
        session.signal.throwIfAborted();
        if (closing.aborted) return;
        this.#telemetry.logger.warn("outbox not accepted by the broker", { error: String(error), attempt });
        await this.#pause(attempt++, closing);
      }
    }
  }

  async #pause(attempt: number, closing: AbortSignal): Promise<void> {
    const pauseMs = fullJitter(attempt, this.#options.backoff ?? { baseMs: 100, maxMs: 10_000 });
    await sleep(pauseMs, { signal: closing }).catch(() => undefined);
  }
}
