import { randomBytes } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";

export interface Listeners {
  readonly port: number;
  readonly controllerPort: number;
}

export type BrokerSettings = Readonly<Record<string, string | number | boolean>>;

/** The settings of one node that is broker and controller (KRaft), with one copy of everything. */
function properties(dataDir: string, { port, controllerPort }: Listeners): BrokerSettings {
  return {
    "process.roles": "broker,controller",
    "node.id": 1,
    "controller.quorum.voters": `1@127.0.0.1:${controllerPort}`,
    listeners: `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}`,
    "advertised.listeners": `PLAINTEXT://127.0.0.1:${port}`,
    "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "PLAINTEXT",
    "log.dirs": join(dataDir, "data"),
    "offsets.topic.replication.factor": 1,
    "offsets.topic.num.partitions": 1,
    "transaction.state.log.replication.factor": 1,
    "transaction.state.log.min.isr": 1,
    "transaction.state.log.num.partitions": 1,
    // By default the first member of a group waits 3 s for others.
    "group.initial.rebalance.delay.ms": 0,
    "group.min.session.timeout.ms": 500,
    "auto.create.topics.enable": false,
    "num.network.threads": 1,
    "num.io.threads": 2,
    "background.threads": 1,
    "num.recovery.threads.per.data.dir": 1,
    "log.cleaner.dedupe.buffer.size": 2_097_152,
    "file.delete.delay.ms": 1_000,
  };
}

/** Writes `server.properties` into the folder and returns its path. */
export async function writeProperties(
  dataDir: string,
  listeners: Listeners,
  settings: BrokerSettings,
): Promise<string> {
  const file = join(dataDir, "server.properties");
  const lines = Object.entries({ ...properties(dataDir, listeners), ...settings }).map(
    ([key, value]) => `${key}=${value}`,
  );
  await writeFile(file, `${lines.join("\n")}\n`);
  return file;
}

/**
 * Returns a new id in Kafka's form of UUIDs: base64url of 16 bytes, without a leading dash, which
 * its tools would read as an option.
 */
export function clusterId(): string {
  for (;;) {
    const id = randomBytes(16).toString("base64url");
    if (!id.startsWith("-")) return id;
  }
}
