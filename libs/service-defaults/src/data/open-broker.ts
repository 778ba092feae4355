import { type Secret, urlWithPassword } from "@plumbline/config";
import { type Broker, type BrokerOptions, connectBroker, grantTopics, type Rights } from "@plumbline/messaging";
import { followClientTls } from "@plumbline/rpc/settings";
import type { Telemetry } from "@plumbline/telemetry";
import type { Followed } from "../live-settings.ts";
import { reportWait } from "../report-wait.ts";

type KafkaSettings = NonNullable<BrokerOptions["kafka"]>;

/** The sections of `settings.broker()`. */
export interface BrokerSettings {
  readonly messaging: {
    readonly adapter: BrokerOptions["adapter"];
    readonly url?: Secret | undefined;
    readonly password?: Secret | undefined;
    readonly role?: string | undefined;
  };
  readonly kafka: Omit<KafkaSettings, "clientId" | "sasl" | "tls"> & {
    readonly sasl?: Sasl | undefined;
    readonly tls?: Parameters<typeof followClientTls>[0];
  };
}

interface Sasl {
  readonly mechanism: "plain" | "scram-sha-256" | "scram-sha-512";
  readonly username: string;
  readonly password: Secret;
}

/** Returns credentials that are asked for at each authentication. The mechanism stays. */
function followSasl(sasl: Sasl, live: LiveBrokerSettings | undefined): NonNullable<KafkaSettings["sasl"]> {
  const followed = live?.follow(({ kafka }) => kafka.sasl ?? sasl);
  if (followed === undefined) return sasl;
  return { ...sasl, username: () => followed.current().username, password: () => followed.current().password };
}

/** Settings that change while the service runs, from `followLiveSettings`. */
interface LiveBrokerSettings {
  follow<T>(select: (config: BrokerSettings) => T): Followed<T>;
}

/**
 * Opens the broker that a service's settings name. With `live` it follows their secrets. The files
 * of its certificates are read again when they change, for new connections.
 */
export async function openBroker(
  service: string,
  { messaging: { adapter, url, password }, kafka }: BrokerSettings,
  telemetry: Telemetry,
  live?: LiveBrokerSettings,
): Promise<Broker> {
  const postgres = url && {
    url:
      live?.follow(({ messaging }) => urlWithPassword(messaging.url ?? url, messaging.password)) ??
      urlWithPassword(url, password),
    applicationName: `${service}-messaging`,
  };
  const sasl = kafka.sasl && followSasl(kafka.sasl, live);
  await using opened = new AsyncDisposableStack();
  const certificates = opened.use(await followClientTls(adapter === "kafka" ? kafka.tls : undefined, telemetry.logger));
  const tls = certificates?.current;
  const what = adapter === "kafka" ? `Kafka at ${kafka.brokers.join(", ")}` : `the broker on ${adapter}`;
  using _waiting = reportWait(what, telemetry.logger);
  const broker = await connectBroker(
    { adapter, postgres, kafka: { ...kafka, sasl, tls, clientId: service } },
    telemetry,
  );
  if (certificates === undefined) return broker;
  const close = broker[Symbol.asyncDispose].bind(broker);
  const owned = opened.move();
  return Object.assign(broker, {
    async [Symbol.asyncDispose]() {
      await close();
      await owned.disposeAsync();
    },
  });
}

/**
 * Lets the role of `messaging.role` publish and consume what belongs to the service. Does nothing
 * without it. The other settings are those of an administrator of the broker.
 */
export async function grantToRole(
  service: string,
  { messaging: { adapter, url, password, role }, kafka }: BrokerSettings,
  rights: Rights,
  telemetry: Telemetry,
): Promise<void> {
  if (role === undefined) return;
  await using certificates = await followClientTls(adapter === "kafka" ? kafka.tls : undefined, telemetry.logger);
  const postgres = url && { url: urlWithPassword(url, password), applicationName: `${service}-messaging` };
  const tls = certificates?.current;
  await grantTopics({ adapter, postgres, kafka: { ...kafka, tls, clientId: service } }, role, rights, telemetry);
  telemetry.logger.info("the role has the service's topics", { role });
}
