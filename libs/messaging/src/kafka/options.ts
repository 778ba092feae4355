import type { ConnectionOptions } from "node:tls";

/** The settings of a broker on Kafka, for either client library. */
export interface KafkaOptions {
  /**
   * The client library. Both keep the same promises, and docs/adr compares them. Default:
   * `defaultKafkaClient`.
   */
  readonly client?: KafkaClientName | undefined;
  /** Addresses as "host:port". One is enough to find the other brokers. */
  readonly brokers: readonly string[];
  /** The service's name, which appears in the broker's logs and quotas. */
  readonly clientId: string;
  /** Enables TLS, and trusts the authorities that come with Node. */
  readonly ssl?: boolean | undefined;
  /** Enables TLS with these certificates. A function is called for each new connection. */
  readonly tls?: KafkaTls | (() => KafkaTls) | undefined;
  readonly sasl?: SaslOptions | undefined;
  /**
   * The size limit. Larger messages are rejected. The broker's `message.max.bytes` must allow it.
   * Default: 1,000,000 bytes.
   */
  readonly maxMessageBytes?: number | undefined;
  /**
   * The time without a heartbeat after which the group evicts a member. The broker sets the
   * minimum. Default: 30 s.
   */
  readonly sessionMs?: number | undefined;
  /** The time without lasting contact after which a subscription stops. Default: 10 min. */
  readonly giveUpMs?: number | undefined;
  /**
   * Called once when a subscription stops for lack of contact. The process should then end, so that
   * its supervisor starts another. Without this callback the error is thrown uncaught, which also
   * ends the process.
   */
  readonly onGiveUp?: ((error: Error) => void) | undefined;
}

/** The certificates of a client, in PEM. */
export interface KafkaTls {
  /** The trusted authorities; those that come with Node if not given. */
  readonly ca?: Pem | undefined;
  /** The certificate that is shown to brokers that require one, and its key. */
  readonly certificate?: Pem | undefined;
  readonly key?: Pem | undefined;
}

type Pem = string | Buffer;

export const kafkaClients = ["kafkajs", "platformatic"] as const;
export type KafkaClientName = (typeof kafkaClients)[number];
export const defaultKafkaClient: KafkaClientName = "platformatic";

export const saslMechanisms = ["plain", "scram-sha-256", "scram-sha-512"] as const;

/** The credentials of a client. */
export interface SaslOptions {
  readonly mechanism: (typeof saslMechanisms)[number];
  /**
   * The user, or a function that returns the one in force. It is called for each connection, and
   * when the broker wants a connection to authenticate again.
   */
  readonly username: string | (() => string);
  /** The password or a secret that reveals it, or a function as for the user. */
  readonly password: Password | (() => Password);
}

type Password = string | { reveal(): string };

/** Returns the user in force. */
export function usernameOf({ username }: SaslOptions): string {
  return typeof username === "function" ? username() : username;
}

/** Returns the password in force in plain text, for the client library. */
export function passwordOf({ password }: SaslOptions): string {
  const current = typeof password === "function" ? password() : password;
  return typeof current === "string" ? current : current.reveal();
}

/**
 * Returns the options of Node for TLS, or undefined without TLS. Both clients copy them for each
 * connection, which reads the certificates in force.
 */
export function tlsOf({ ssl, tls }: Pick<KafkaOptions, "ssl" | "tls">): ConnectionOptions | undefined {
  if (tls === undefined) return ssl === true ? {} : undefined;
  const current = (): KafkaTls => (typeof tls === "function" ? tls() : tls);
  return {
    get ca() {
      return current().ca;
    },
    get cert() {
      return current().certificate;
    },
    get key() {
      return current().key;
    },
  };
}

/**
 * The time limits of a connection and of a request, for both clients. After a request's limit its
 * connection counts as dead.
 */
export const connectMs = 3_000;
export const requestMs = 15_000;
