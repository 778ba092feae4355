/** The settings of a broker on Kafka, whichever client library speaks to it. */
export interface KafkaOptions {
  /** The client library. Both keep the same promises; docs/adr compares them. Default `defaultKafkaClient`. */
  readonly client?: KafkaClientName | undefined;
  /** "host:port"; one is enough to find the others. */
  readonly brokers: readonly string[];
  /** The service's name, which appears in the broker's logs and quotas. */
  readonly clientId: string;
  readonly ssl?: boolean | undefined;
  readonly sasl?: SaslOptions | undefined;
  /** Larger messages are refused. Default 1,000,000 bytes; the broker's `message.max.bytes` must allow it. */
  readonly maxMessageBytes?: number | undefined;
  /** The group evicts a member that sends no heartbeat for this long. Default 30 s; the broker sets the minimum. */
  readonly sessionMs?: number | undefined;
  /** A subscription without lasting contact gives up after this long. Default 10 min. */
  readonly giveUpMs?: number | undefined;
  /**
   * Called once when a subscription gives up. The process should then end, so that its supervisor starts another.
   * Without this callback the error is thrown uncaught, which also ends the process.
   */
  readonly onGiveUp?: ((error: Error) => void) | undefined;
}

export const kafkaClients = ["kafkajs", "platformatic"] as const;
export type KafkaClientName = (typeof kafkaClients)[number];
export const defaultKafkaClient: KafkaClientName = "kafkajs";

export interface SaslOptions {
  readonly mechanism: "plain" | "scram-sha-256" | "scram-sha-512";
  readonly username: string;
  readonly password: string | { reveal(): string };
}

/** Returns the password in plain text, for the client library. */
export function passwordOf({ password }: SaslOptions): string {
  return typeof password === "string" ? password : password.reveal();
}

/** Both clients give a connection this long, and a request this long before its connection counts as dead. */
export const connectMs = 3_000;
export const requestMs = 15_000;
