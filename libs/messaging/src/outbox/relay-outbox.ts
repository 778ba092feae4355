import { type Backoff, background, deadline, derive, Event, fullJitter, onAbort, sleep } from "@plumbline/concurrency";
import type { Database, Listener } from "@plumbline/postgres";
import type { Telemetry } from "@plumbline/telemetry";
import type { Publisher } from "../broker.ts";
import { type HeldSession, holdSession } from "../hold-session.ts";
import { asleepLock, outboxChannel } from "./migration.ts";
import { outboxGauges } from "./outbox-gauges.ts";
import { oldestRows, outboxAgeMs } from "./outbox-rows.ts";
import { BatchPublisher } from "./publish-batch.ts";

/** The settings of an outbox relay. */
export interface RelayOptions {
  /** The most messages per send. Default: 200. */
  readonly batchSize?: number | undefined;
  /** The most bytes of data per send, except that one message may exceed it. Default: 1,000,000. */
  readonly batchBytes?: number | undefined;
  /** The interval of polling, in case a notification is lost. Default: 1 s. */
  readonly pollMs?: number | undefined;
  /**
   * The interval at which a standby relay tries to become active, which bounds a fail-over.
   * Default: 500 ms.
   */
  readonly standbyMs?: number | undefined;
  /** The time limit for the broker to accept a batch. Default: 10 s. */
  readonly sendTimeoutMs?: number | undefined;
  /** The time that closing waits for the batch in flight. Default: 5 s. */
  readonly closeMs?: number | undefined;
  /** The age of a message at which a relay that stands by is stuck. Default: 30 s. */
  readonly stuckMs?: number | undefined;
  /** The pauses while the broker accepts nothing, with full jitter. */
  readonly backoff?: Backoff | undefined;
}

const statementMs = 10_000;
/** The pause between two reads while transactions that do not notify are open. */
const writerMs = 5;
/** The pause between two looks of a relay that stands by at the age of the oldest message. */
const lookMs = 5_000;

/** A relay of an outbox, which runs until it is disposed. */
export interface OutboxRelay extends AsyncDisposable {
  /** True while it stands by and messages wait: the relay that holds the lock sends nothing. */
  readonly isStuck: boolean;
}

/**
 * Publishes the messages of a service's outbox. One relay per database is active and the others
 * stand by, by a session advisory lock. Two active relays would overtake each other within a key.
 *
 * The active relay reads and deletes on the session that holds the lock, so a relay that lost the
 * lock deletes nothing. While the broker is unavailable the rows wait, and none is lost.
 *
 * A relay that found no row sleeps until a commit notifies it. Commits notify only then.
 */
export async function relayOutbox(
  database: Database,
  publisher: Publisher,
  telemetry: Telemetry,
  options: RelayOptions = {},
): Promise<OutboxRelay> {
  const relay = new Relay(database, publisher, telemetry, options);
  await relay.start();
  return relay;
}

class Relay implements OutboxRelay {
  readonly #database: Database;
  readonly #options: RelayOptions;
  readonly #telemetry: Telemetry;
  readonly #batches: BatchPublisher;
  readonly #rows = new Event();
  /** Aborts when the time to close is over. */
  readonly #scope = derive();
  readonly #resources = new DisposableStack();
  #listener: Listener | undefined;
  #running: AsyncDisposable | undefined;
  isStuck = false;

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
        this.#telemetry.logger.warn("outbox relay interrupted; reconnecting", { error: String(error), attempt });
      },
    });
  }

  /** Returns false if the relay closed while it stood by. */
  async #becomeActive(session: HeldSession, closing: AbortSignal): Promise<boolean> {
    const { standbyMs = 500 } = this.#options;
    let lookedAt = performance.now();
    while (!closing.aborted) {
      // Polls for the lock. A statement that waits for it would hold a snapshot, and no dead row of
      // the whole database could be vacuumed meanwhile.
      const sql = "SELECT pg_try_advisory_lock(hashtextextended('plumbline.outbox.relay', 0)) AS active";
      const [row] = await session.query<{ active: boolean }>(sql);
      if (row?.active === true) {
        this.isStuck = false;
        return true;
      }
      if (performance.now() - lookedAt >= Math.min(lookMs, this.#stuckMs)) {
        lookedAt = performance.now();
        await this.#look(session);
      }
      using waiting = derive({ signal: session.signal });
      using _ = onAbort(closing, () => waiting.abort());
      await sleep(standbyMs, waiting).catch(() => session.signal.throwIfAborted());
    }
    return false;
  }

  get #stuckMs(): number {
    return this.#options.stuckMs ?? 30_000;
  }

  /** Finds whether messages wait although another relay holds the lock, and logs a change. */
  async #look(session: HeldSession): Promise<void> {
    const [row] = await session.query<{ ms: number }>(outboxAgeMs);
    const isStuck = (row?.ms ?? 0) >= this.#stuckMs;
    if (isStuck && !this.isStuck) {
      this.#telemetry.logger.warn("outbox messages wait, and another relay holds the lock", { oldest_ms: row?.ms });
    }
    this.isStuck = isStuck;
  }

  async #relay(session: HeldSession, closing: AbortSignal): Promise<void> {
    const { batchSize = 200, batchBytes = 1_000_000, pollMs = 1_000 } = this.#options;
    this.#telemetry.logger.info("outbox relay active");
    using sending = derive({ signal: session.signal });
    using _ = onAbort(this.#scope.signal, () => sending.abort(this.#scope.signal.reason));
    let isAsleep = false;
    for (let attempt = 1; !closing.aborted; ) {
      const rows = await oldestRows(session, batchSize, batchBytes);
      try {
        if (rows.length > 0) {
          if (isAsleep) await wake(session);
          isAsleep = false;
          await this.#batches.send(session, rows, sending);
        } else if (isAsleep) await this.#rows.wait({ ms: pollMs, signal: sending.signal });
        else {
          isAsleep = await fallAsleep(session);
          if (!isAsleep) await this.#rows.wait({ ms: writerMs, signal: sending.signal });
        }
        attempt = 1;
      } catch (error) {
        session.signal.throwIfAborted();
        if (closing.aborted) return;
        this.#telemetry.logger.warn("broker did not accept the outbox batch; backing off", {
          error: String(error),
          attempt,
        });
        await this.#pause(attempt++, closing);
      }
    }
  }

  async #pause(attempt: number, closing: AbortSignal): Promise<void> {
    const pauseMs = fullJitter(attempt, this.#options.backoff ?? { baseMs: 100, maxMs: 10_000 });
    await sleep(pauseMs, { signal: closing }).catch(() => undefined);
  }
}

/**
 * Asks writers to notify from now on. Returns false while a transaction is open that stored a row
 * and does not notify. If it returns true, such rows are visible to the next read.
 */
async function fallAsleep(session: HeldSession): Promise<boolean> {
  const sql = `SELECT pg_try_advisory_lock(${asleepLock}) AS asleep`;
  const [row] = await session.query<{ asleep: boolean }>(sql, [], { name: "outbox_fall_asleep" });
  return row?.asleep === true;
}

async function wake(session: HeldSession): Promise<void> {
  await session.query(`SELECT pg_advisory_unlock(${asleepLock})`, [], { name: "outbox_wake" });
}
