import { existsSync } from "node:fs";
import { mkdir, readFile, rename, rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { EngineError } from "../engine-error.ts";
import { freePort } from "../free-ports.ts";
import { type SupervisedProcess, spawnSupervised } from "../supervised.ts";
import { distribution, newCluster } from "./distribution.ts";
import { jvmArguments, missingForJvm } from "./java.ts";
import { answers, warm } from "./probe.ts";
import { type BrokerSettings, writeProperties } from "./properties.ts";

export interface KafkaOptions {
  /**
   * The data folder, created if it does not exist. A folder with data starts the same cluster
   * again.
   */
  readonly dataDir: string;
  /** The port on 127.0.0.1; a free one by default. */
  readonly port?: number | undefined;
  /** Broker settings: { "message.max.bytes": 1048588 }. */
  readonly settings?: BrokerSettings | undefined;
  readonly onLog?: ((line: string) => void) | undefined;
  /** Removes the folder at the end, even if this process dies first. */
  readonly removeFolder?: boolean | undefined;
}

export interface KafkaBroker extends AsyncDisposable {
  /** The address for clients, "127.0.0.1:PORT". */
  readonly brokers: string;
  readonly port: number;
  readonly pid: number;
  readonly process: SupervisedProcess;
  /** Resolves when the broker has ended, for whatever reason. */
  readonly exited: Promise<void>;
}

const startTimeoutMs = 60_000;
const stopTimeoutMs = 15_000;

/**
 * Starts Apache Kafka on the JVM of this machine, with jars from Maven Central, and resolves once
 * it answers. Disposing stops it cleanly. The broker also stops if this process dies. Throws
 * EngineError if Java or Maven is missing.
 */
export async function startKafka(options: KafkaOptions): Promise<KafkaBroker> {
  const missing = missingForJvm();
  if (missing !== undefined)
    throw new EngineError(
      "missing_library",
      `${missing}: install it, or do without Kafka (npm start without --kafka; tests use TEST_KAFKA_BROKERS if set).`,
    );
  const from = await distribution();
  const dataDir = resolve(options.dataDir);
  await mkdir(dataDir, { recursive: true });
  const isNew = !existsSync(join(dataDir, "data"));
  if (isNew) await newCluster(from, dataDir);

  const port = options.port ?? (await freePort());
  // The controller's address is part of the quorum's state, so a cluster keeps its first one.
  const controllerPort = isNew ? await freePort() : await controllerPortOf(dataDir);
  const properties = await writeProperties(dataDir, { port, controllerPort }, options.settings ?? {});

  const archived = existsSync(from.archive);
  const aside = `${from.archive}-${process.pid}`;
  const archive = archived
    ? [`-XX:SharedArchiveFile=${from.archive}`, "-Xshare:auto", "-Xlog:cds=off", "-Xlog:cds+dynamic=off"]
    : [`-XX:ArchiveClassesAtExit=${aside}`, "-Xlog:cds=off", "-Xlog:cds+dynamic=off"];
  const child = spawnSupervised(
    { prefix: [] },
    "java",
    [...archive, ...jvmArguments(from.classPath), "kafka.Kafka", properties],
    {
      environment: {},
      lastSignal: "INT",
      removeFolder: options.removeFolder === true ? dataDir : undefined,
    },
  );
  const exited = new Promise<void>((settle) => {
    child.once("exit", () => settle());
    child.once("error", () => settle());
  });
  try {
    await ready(child, dataDir, port, options.onLog);
    if (isNew) await warm(port);
  } catch (error) {
    child.kill("SIGKILL");
    await exited;
    throw error;
  }
  return {
    brokers: `127.0.0.1:${port}`,
    port,
    pid: child.pid ?? 0,
    process: child,
    exited,
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGTERM");
      const force = setTimeout(() => child.kill("SIGKILL"), stopTimeoutMs);
      await exited;
      clearTimeout(force);
      if (options.removeFolder === true) await rm(dataDir, { recursive: true, force: true });
      // The first broker of a machine writes the archive when it exits; a rename puts it in place.
      if (!archived) await rename(aside, from.archive).catch(() => rm(aside, { force: true }));
    },
  };
}

async function ready(
  child: SupervisedProcess,
  dataDir: string,
  port: number,
  onLog?: (line: string) => void,
): Promise<void> {
  let last: string[] = [];
  let ended = false;
  createInterface({ input: child.stderr }).on("line", (line) => {
    last = [...last.slice(-19), line];
    onLog?.(line);
  });
  child.once("error", () => {
    ended = true;
  });
  child.once("close", () => {
    ended = true;
  });
  const cluster = /cluster\.id=(\S+)/.exec(await readFile(join(dataDir, "data", "meta.properties"), "utf8"))?.[1] ?? "";
  const until = performance.now() + startTimeoutMs;
  while (!(await answers(port, cluster))) {
    if (ended || performance.now() > until) {
      const log = last.join("\n");
      if (/Address already in use|BindException/.test(log)) {
        throw new EngineError(
          "port_taken",
          `Port ${port} on 127.0.0.1 is taken by another program. Stop that one, or choose another port.`,
        );
      }
      throw new EngineError(
        "start_failed",
        `Kafka ${ended ? "ended while it started" : "was not ready in time"}:\n${log}`,
      );
    }
    await sleep(20);
  }
}

async function controllerPortOf(dataDir: string): Promise<number> {
  const text = await readFile(join(dataDir, "server.properties"), "utf8");
  return Number(/voters=1@127\.0\.0\.1:(\d+)/.exec(text)?.[1]);
}
