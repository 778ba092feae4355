import { repeat } from "@plumbline/concurrency";
import { ServiceError } from "@plumbline/errors";
import { type Database, type DatabaseOptions, type Listener, openDatabase } from "@plumbline/postgres";
import type { Telemetry } from "@plumbline/telemetry";
import type { Broker } from "../broker.ts";
import { type Backlog, createBacklog, isStuck } from "../consuming/backlog.ts";
import { consumerGauges } from "../consuming/consumer-gauges.ts";
import { closedError } from "../errors.ts";
import { defaultMaxMessageBytes, refuseLarge } from "../limits.ts";
import { migrateOrRequire } from "./grants.ts";
import { groupLag } from "./lag.ts";
import { membersChannel, messagesChannel } from "./migrations.ts";
import { publishTo } from "./publish.ts";
import { deleteExpiredMessages } from "./retention.ts";
import { Subscription, type SubscriptionTimes } from "./subscription.ts";
import { Topics } from "./topics.ts";

/** The settings of a broker on PostgreSQL. */
export interface PostgresBrokerOptions extends Partial<SubscriptionTimes> {
  /**
   * A database of the broker's own, not one of a service. Its role is the owner of the tables, or
   * has the rights of `grantOnPostgres`.
   * Takes what `openDatabase` takes: the URL, a secret that reveals it, or one that may change.
   */
  readonly url: DatabaseOptions["url"];
  /** The name in pg_stat_activity. Default: "messaging". */
  readonly applicationName?: string | undefined;
  /** The number of connections for publishing. Default: 4. */
  readonly poolSize?: number | undefined;
  /**
   * The most subscriptions, each of which has its own connection. Beyond them `subscribe` rejects
   * with `resource_exhausted`. Default: 32.
   */
  readonly maxSubscriptions?: number | undefined;
  readonly maxMessageBytes?: number | undefined;
  /** The time that opening waits for the database. Default: 5 s. */
  readonly connectTimeoutMs?: number | undefined;
  /**
   * The approximate interval between deletions of messages past their retention. Default: 1 min.
   */
  readonly sweepMs?: number | undefined;
}

const defaultMaxSubscriptions = 32;

/**
 * Opens a broker on PostgreSQL: a log per partition, and consumer groups with stored positions.
 * NOTIFY wakes the members, and polling covers lost notifications. Rejects with `unavailable` if
 * the database is unreachable.
 */
export async function openPostgresBroker(options: PostgresBrokerOptions, telemetry: Telemetry): Promise<Broker> {
  await using opened = new AsyncDisposableStack();
  const database = opened.use(
    await openDatabase(
      {
        url: options.url,
        applicationName: options.applicationName ?? "messaging",
        poolSize: options.poolSize ?? 4,
        connectTimeoutMs: options.connectTimeoutMs,
        maxSessions: (options.maxSubscriptions ?? defaultMaxSubscriptions) + 1,
      },
      telemetry,
    ),
  );
  await migrateOrRequire(database);
  const broker = new PostgresBroker(database, options, telemetry);
  await broker.listen();
  opened.move();
  return broker;
}

class PostgresBroker implements Broker {
  readonly #database: Database;
  readonly #telemetry: Telemetry;
  readonly #topics: Topics;
  readonly #times: SubscriptionTimes;
  readonly #maxMessageBytes: number;
  readonly #maxSubscriptions: number;
  readonly #sweeper: AsyncDisposable;
  readonly #listeners: Listener[] = [];
  readonly #subscriptions = new Set<Subscription>();
  readonly #backlogs = new Set<Backlog>();
  #closed: Promise<void> | undefined;

  constructor(database: Database, options: PostgresBrokerOptions, telemetry: Telemetry) {
    const { pollMs = 1_000, commitMs = 100, statementMs = 5_000, sweepMs = 60_000, stuckMs = 30_000 } = options;
    this.#database = database;
    this.#telemetry = telemetry;
    this.#topics = new Topics(database);
    this.#times = { pollMs, commitMs, statementMs, stuckMs };
    this.#maxSubscriptions = options.maxSubscriptions ?? defaultMaxSubscriptions;
    this.#maxMessageBytes = options.maxMessageBytes ?? defaultMaxMessageBytes;
    const sweep = async (signal: AbortSignal): Promise<void> => {
      const deleted = await deleteExpiredMessages(database, { signal });
      if (deleted > 0) telemetry.logger.info("deleted expired messages", { deleted });
    };
    this.#sweeper = repeat(sweep, {
      everyMs: sweepMs,
      onFailure: (error) => telemetry.logger.warn("cannot delete expired messages", { error: String(error) }),
    });
  }

  async listen(): Promise<void> {
    await this.#listen(messagesChannel, (subscription) => subscription.onMessages());
    await this.#listen(membersChannel, (subscription) => subscription.onMembers());
  }

  readonly publish: Broker["publish"] = async (topic, messages, options = {}) => {
    this.#refuseClosed(options.signal);
    refuseLarge(messages, this.#maxMessageBytes);
    const { partitions } = await this.#topics.get(topic, options);
    if (messages.length > 0) await publishTo(this.#database, topic, partitions, messages, options);
  };

  readonly subscribe: Broker["subscribe"] = async (topic, handler, options) => {
    this.#refuseClosed();
    if (this.#subscriptions.size >= this.#maxSubscriptions) {
      throw new ServiceError("resource_exhausted", `the limit of ${this.#maxSubscriptions} subscriptions is reached`);
    }
    const { logger } = this.#telemetry;
    const { group } = options;
    const backlog = createBacklog(options);
    const consumer = { topic, options, handler, logger, backlog };
    const lag = () => groupLag(this.#database, topic, group);
    const gauges = consumerGauges(this.#telemetry, { topic, group }, backlog, lag);
    const subscription = new Subscription(this.#database, this.#topics, consumer, this.#times);
    this.#subscriptions.add(subscription);
    this.#backlogs.add(backlog);
    return {
      [Symbol.asyncDispose]: async () => {
        gauges[Symbol.dispose]();
        this.#backlogs.delete(backlog);
        await subscription[Symbol.asyncDispose]();
        this.#subscriptions.delete(subscription);
      },
    };
  };

  get isStuck(): boolean {
    return this.#backlogs.values().some(isStuck) || this.#subscriptions.values().some((one) => one.isStuck);
  }

  readonly ping: Broker["ping"] = async (options = {}) => {
    this.#refuseClosed(options.signal);
    await this.#database.ping(options);
  };

  readonly createTopics: Broker["createTopics"] = async (topics, options) => {
    this.#refuseClosed(options.signal);
    await this.#topics.create(topics, options);
  };

  readonly retentionMs: Broker["retentionMs"] = async (topic, options = {}) => {
    this.#refuseClosed(options.signal);
    return (await this.#topics.get(topic, options)).retentionMs;
  };

  [Symbol.asyncDispose](): Promise<void> {
    return (this.#closed ??= this.#close());
  }

  async #close(): Promise<void> {
    await Promise.all([this.#sweeper, ...this.#subscriptions].map((part) => part[Symbol.asyncDispose]()));
    await Promise.all(this.#listeners.map((listener) => listener[Symbol.asyncDispose]()));
    await this.#database[Symbol.asyncDispose]();
  }

  #refuseClosed(signal?: AbortSignal): void {
    if (this.#closed !== undefined) throw closedError();
    signal?.throwIfAborted();
  }

  /**
   * Calls the subscriptions that a notification concerns, or all of them if notifications may have
   * been missed.
   */
  async #listen(channel: string, call: (subscription: Subscription) => void): Promise<void> {
    const listener = await this.#database.listen(channel);
    this.#listeners.push(listener);
    void (async () => {
      for await (const { payload, missed } of listener) {
        for (const subscription of this.#subscriptions) {
          if (missed || subscription.topic === payload) call(subscription);
        }
      }
    })();
  }
}
