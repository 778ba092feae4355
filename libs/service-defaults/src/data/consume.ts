import type { Health } from "@plumbline/lifecycle";
import { type Broker, type Handler, relayOutbox, startInboxCleanup, subscribeWithRetries } from "@plumbline/messaging";
import type { Database } from "@plumbline/postgres";
import type { Telemetry } from "@plumbline/telemetry";

/** The topic that a service consumes, its handler, and the database of its inbox and outbox. */
export interface Consumer {
  readonly database: Database;
  readonly broker: Broker;
  readonly topic: string;
  /** The name of the service: its replicas share the events of the topic. */
  readonly group: string;
  readonly handler: Handler;
  /** Gets "outbox moves" in its report. */
  readonly health?: Pick<Health, "addWorking"> | undefined;
}

/** The sections of a service's settings, and what each service chooses for itself. */
export interface ConsumeOptions {
  /** Handlers that run at once. */
  readonly concurrency: number;
  /**
   * Messages that are held at once, so that a client's message is not behind another's in the
   * broker; 4 x concurrency if not given.
   */
  readonly capacity?: number | undefined;
  readonly retries: { readonly attempts: number; readonly delaysMs: readonly number[] };
  readonly relay: { readonly batchSize: number; readonly pollMs: number; readonly standbyMs: number };
  readonly inbox: { readonly retentionMs?: number | undefined };
  /** The pauses between attempts in place: full jitter between zero and a doubling bound. */
  readonly backoff: { readonly baseMs: number; readonly maxMs: number };
  /** The milliseconds that closing waits for running handlers, and for the relay's batch. */
  readonly grace: { readonly events: number; readonly relay: number };
}

/**
 * Handles the events of a topic until disposed. Runs the cleanup of the inbox, the relay of the
 * outbox, and the subscription with its retries and dead letters.
 */
export async function consume(
  { database, broker, topic, group, handler, health }: Consumer,
  telemetry: Telemetry,
  {
    concurrency,
    capacity,
    retries: { attempts, delaysMs: retryDelaysMs },
    relay,
    inbox,
    backoff,
    grace,
  }: ConsumeOptions,
): Promise<AsyncDisposable> {
  await using opened = new AsyncDisposableStack();
  const { retentionMs } = inbox;
  opened.use(
    await startInboxCleanup(database, broker, telemetry, { group, topics: [topic], retryDelaysMs, retentionMs }),
  );
  const outbox = opened.use(await relayOutbox(database, broker, telemetry, { ...relay, closeMs: grace.relay }));
  if (health !== undefined) opened.use(health.addWorking("outbox moves", () => !outbox.isStuck));
  const retries = { attempts, ...backoff };
  const options = { group, concurrency, capacity, retryDelaysMs, retries, closeMs: grace.events };
  opened.use(await subscribeWithRetries(broker, topic, handler, telemetry, options));
  return opened.move();
}
