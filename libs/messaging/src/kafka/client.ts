import type { Logger } from "@plumbline/telemetry";
import kafkajs, { type ISocketFactory, type LogEntry } from "kafkajs";
import { quietRequestQueue } from "./quiet-request-queue.ts";

export interface KafkaOptions {
  /** "host:port", one is enough to find the others. */
  readonly brokers: readonly string[];
  /** The service's name, as the broker's own logs and quotas see it. */
  readonly clientId: string;
  readonly ssl?: boolean | undefined;
  readonly sasl?:
    | {
        readonly mechanism: "plain" | "scram-sha-256" | "scram-sha-512";
        readonly username: string;
        readonly password: string | { reveal(): string };
      }
    | undefined;
  /** How connections are made: through a proxy, say. */
  readonly socketFactory?: ISocketFactory | undefined;
  /** Larger messages are refused. Default 1,000,000 bytes; the broker's `message.max.bytes` must allow it. */
  readonly maxMessageBytes?: number | undefined;
  /** After this long without a heartbeat a member is taken for dead. Default 30 s; the broker sets the least. */
  readonly sessionMs?: number | undefined;
  /** A subscription that had no lasting contact for this long gives up. Default 10 min. */
  readonly giveUpMs?: number | undefined;
  /**
   * Called once when a subscription gives up: the process should end, so that what watches it starts another. Without
   * one the error is thrown where nobody catches it, which ends the process too.
   */
  readonly onGiveUp?: ((error: Error) => void) | undefined;
}

/** A kafkajs client whose log goes to ours. What kafkajs calls an error is what it tries again: a warning here. */
export function createKafka(options: KafkaOptions, logger: Logger): kafkajs.Kafka {
  quietRequestQueue();
  return new kafkajs.Kafka({
    clientId: options.clientId,
    brokers: [...options.brokers],
    connectionTimeout: 3_000,
    authenticationTimeout: 5_000,
    requestTimeout: 15_000,
    // One layer retries: kafkajs inside a call for about 3 s, we around whole calls where it is right to.
    retry: { initialRetryTime: 50, maxRetryTime: 1_000, retries: 6, factor: 0.2, multiplier: 2 },
    logLevel: kafkajs.logLevel.WARN,
    logCreator: () => (entry) => log(logger, entry),
    ...(options.socketFactory === undefined ? {} : { socketFactory: options.socketFactory }),
    ...(options.ssl === undefined ? {} : { ssl: options.ssl }),
    ...(options.sasl === undefined ? {} : { sasl: saslOf(options.sasl) }),
  });
}

/** kafkajs has a type for each mechanism; for these three they differ by the name only. */
function saslOf({ mechanism, username, password }: NonNullable<KafkaOptions["sasl"]>): kafkajs.SASLOptions {
  const plain = typeof password === "string" ? password : password.reveal();
  return { mechanism: mechanism as "plain", username, password: plain };
}

function log(logger: Logger, { namespace, log: { message, error, broker, groupId } }: LogEntry): void {
  logger.warn("kafka client", {
    part: namespace,
    detail: message,
    ...(error === undefined ? {} : { error: String(error) }),
    ...(broker === undefined ? {} : { broker: String(broker) }),
    ...(groupId === undefined ? {} : { group: String(groupId) }),
  });
}
