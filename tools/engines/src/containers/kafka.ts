import { GenericContainer, Wait } from "testcontainers";
import { freePort } from "../free-ports.ts";
import { hasContainer } from "./available.ts";

export const kafkaImage = "apache/kafka:4.4.0";

/** A broker with a second listener, whose clients must log in. */
export interface SaslKafka extends AsyncDisposable {
  /** Takes every client. */
  readonly brokers: string;
  /**
   * Takes clients that log in by PLAIN as `saslUser`, or by SCRAM as users that a test creates. A
   * connection lasts twelve seconds until it must authenticate again.
   */
  readonly saslBrokers: string;
}

/** The one user of PLAIN. */
export const saslUser = { username: "plain-user", password: "plain-password" } as const;

/** Returns the reason why there is no broker with a login, or undefined if tests can run. */
export function whyNoSaslKafka(): string | undefined {
  if (hasContainer(kafkaImage)) return undefined;
  return `needs a Kafka with a login: no Docker engine has the image ${kafkaImage} (TEST_ENGINES=docker allows pulling it)`;
}

/**
 * Starts a broker whose clients log in, in a container. With `acls` it allows them nothing but what
 * its ACLs say. Clients of the listener without a login may do everything.
 */
export async function startSaslKafka({ acls = false }: { readonly acls?: boolean } = {}): Promise<SaslKafka> {
  const port = await freePort();
  const saslPort = await freePort();
  const scram = "org.apache.kafka.common.security.scram.ScramLoginModule required;";
  const plain = `org.apache.kafka.common.security.plain.PlainLoginModule required user_${saslUser.username}="${saslUser.password}";`;
  const container = await kafkaContainer(port, {
    KAFKA_LISTENERS: "PLAINTEXT://:9092,CONTROLLER://:9093,INTERNAL://:9094,LOGIN://:9095",
    KAFKA_ADVERTISED_LISTENERS: `PLAINTEXT://127.0.0.1:${port},INTERNAL://localhost:9094,LOGIN://127.0.0.1:${saslPort}`,
    KAFKA_LISTENER_SECURITY_PROTOCOL_MAP:
      "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,INTERNAL:PLAINTEXT,LOGIN:SASL_PLAINTEXT",
    KAFKA_LISTENER_NAME_LOGIN_SASL_ENABLED_MECHANISMS: "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512",
    KAFKA_LISTENER_NAME_LOGIN_PLAIN_SASL_JAAS_CONFIG: plain,
    KAFKA_LISTENER_NAME_LOGIN_SCRAM___SHA___256_SASL_JAAS_CONFIG: scram,
    KAFKA_LISTENER_NAME_LOGIN_SCRAM___SHA___512_SASL_JAAS_CONFIG: scram,
    KAFKA_CONNECTIONS_MAX_REAUTH_MS: "12000",
    ...(acls && {
      KAFKA_AUTHORIZER_CLASS_NAME: "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
      KAFKA_SUPER_USERS: "User:ANONYMOUS",
    }),
  })
    .withExposedPorts({ container: 9095, host: saslPort })
    .start();
  return {
    brokers: `127.0.0.1:${port}`,
    saslBrokers: `127.0.0.1:${saslPort}`,
    [Symbol.asyncDispose]: async () => {
      await container.stop();
    },
  };
}

/** A broker with a second listener, whose clients must use TLS. */
export interface TlsKafka extends AsyncDisposable {
  /** The port of the listener, whose certificate must be for localhost and 127.0.0.1. */
  readonly port: number;
}

/**
 * Starts a broker whose clients use TLS, in a container. They must have a certificate of
 * `clientCa`. It has the address localhost.
 */
export async function startTlsKafka({
  certificate,
  key,
  clientCa,
}: {
  readonly certificate: string;
  readonly key: string;
  readonly clientCa: string;
}): Promise<TlsKafka> {
  const port = await freePort();
  const tlsPort = await freePort();
  const container = await kafkaContainer(port, {
    KAFKA_LISTENERS: "PLAINTEXT://:9092,CONTROLLER://:9093,INTERNAL://:9094,SECURE://:9095",
    KAFKA_ADVERTISED_LISTENERS: `PLAINTEXT://127.0.0.1:${port},INTERNAL://localhost:9094,SECURE://localhost:${tlsPort}`,
    KAFKA_LISTENER_SECURITY_PROTOCOL_MAP: "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,INTERNAL:PLAINTEXT,SECURE:SSL",
    KAFKA_LISTENER_NAME_SECURE_SSL_KEYSTORE_TYPE: "PEM",
    KAFKA_LISTENER_NAME_SECURE_SSL_KEYSTORE_LOCATION: "/tmp/server.pem",
    KAFKA_LISTENER_NAME_SECURE_SSL_TRUSTSTORE_TYPE: "PEM",
    KAFKA_LISTENER_NAME_SECURE_SSL_TRUSTSTORE_LOCATION: "/tmp/client-ca.pem",
    KAFKA_LISTENER_NAME_SECURE_SSL_CLIENT_AUTH: "required",
  })
    .withCopyContentToContainer([
      { content: `${key}${certificate}`, target: "/tmp/server.pem", mode: 0o644 },
      { content: clientCa, target: "/tmp/client-ca.pem", mode: 0o644 },
    ])
    .withExposedPorts({ container: 9095, host: tlsPort })
    .start();
  return {
    port: tlsPort,
    [Symbol.asyncDispose]: async () => {
      await container.stop();
    },
  };
}

/**
 * Starts one KRaft node for tests in a container. It advertises its address from the start, so the
 * port is chosen first. The broker reaches itself by a listener of its own, since the port of the
 * host does not exist in the container: without it no transaction is ever completed.
 */
export async function startKafkaContainer(): Promise<AsyncDisposable & { readonly brokers: string }> {
  const port = await freePort();
  const container = await kafkaContainer(port).start();
  return {
    brokers: `127.0.0.1:${port}`,
    [Symbol.asyncDispose]: async () => {
      await container.stop();
    },
  };
}

function kafkaContainer(port: number, environment: Readonly<Record<string, string>> = {}): GenericContainer {
  return new GenericContainer(kafkaImage)
    .withEnvironment({
      KAFKA_NODE_ID: "1",
      KAFKA_PROCESS_ROLES: "broker,controller",
      KAFKA_CONTROLLER_QUORUM_VOTERS: "1@localhost:9093",
      KAFKA_LISTENERS: "PLAINTEXT://:9092,CONTROLLER://:9093,INTERNAL://:9094",
      KAFKA_ADVERTISED_LISTENERS: `PLAINTEXT://127.0.0.1:${port},INTERNAL://localhost:9094`,
      KAFKA_LISTENER_SECURITY_PROTOCOL_MAP: "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,INTERNAL:PLAINTEXT",
      KAFKA_CONTROLLER_LISTENER_NAMES: "CONTROLLER",
      KAFKA_INTER_BROKER_LISTENER_NAME: "INTERNAL",
      KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR: "1",
      KAFKA_OFFSETS_TOPIC_NUM_PARTITIONS: "1",
      KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR: "1",
      KAFKA_TRANSACTION_STATE_LOG_MIN_ISR: "1",
      KAFKA_TRANSACTION_STATE_LOG_NUM_PARTITIONS: "1",
      KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS: "0",
      KAFKA_GROUP_MIN_SESSION_TIMEOUT_MS: "500",
      KAFKA_AUTO_CREATE_TOPICS_ENABLE: "false",
      ...environment,
    })
    .withExposedPorts({ container: 9092, host: port })
    .withWaitStrategy(Wait.forLogMessage(/Kafka Server started/))
    .withStartupTimeout(120_000);
}
