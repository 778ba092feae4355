import { execFile, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { etcdImage } from "../containers/etcd.ts";
import { EngineError } from "../engine-error.ts";
import { type SupervisedProcess, spawnSupervised } from "../supervised.ts";

export interface StackEtcdOptions {
  /** The folder of the data. It is made if it is missing. */
  readonly dataDir: string;
  /** The port of its clients, on 127.0.0.1. */
  readonly port: number;
}

/** The etcd of the embedded stack, with data that stay. */
export interface StackEtcd extends AsyncDisposable {
  /** "http://127.0.0.1:2379" */
  readonly url: string;
  /** The command that calls its `etcdctl`, for a person. */
  readonly etcdctl: string;
  /** The process, where it does not run in a container. */
  readonly pid: number | undefined;
}

/** The ways to run etcd on this machine. */
export type EtcdProgram = { readonly command: string } | { readonly image: string };

const docker = promisify(execFile);
/** Debian's package etcd-server puts it here, which not every PATH has. */
const commands = ["etcd", "/usr/bin/etcd"];
const startTimeoutMs = 30_000;
const stopTimeoutMs = 5_000;
const pullTimeoutMs = 300_000;
/** The last characters of its output that an error shows. */
const shownCharacters = 2_000;
/** The documents are small, and their history is of no use after an hour. */
const bounds = ["--quota-backend-bytes=67108864", "--auto-compaction-retention=1h"];

/**
 * Returns how this machine runs etcd: its own program, else a container. Undefined if neither can.
 */
export function findEtcd(environment: NodeJS.ProcessEnv = process.env): EtcdProgram | undefined {
  const command = commands.find(
    (one) => spawnSync(one, ["--version"], { stdio: "ignore", timeout: 10_000, env: environment }).status === 0,
  );
  if (command !== undefined) return { command };
  const engine = spawnSync("docker", ["version"], { stdio: "ignore", timeout: 10_000, env: environment });
  return engine.status === 0 ? { image: etcdImage } : undefined;
}

/** The advice where `findEtcd` finds nothing. */
export const howToGetEtcd =
  "install etcd (apt-get install etcd-server etcd-client on Debian and Ubuntu, brew install etcd on macOS), or start Docker";

/**
 * Starts etcd on 127.0.0.1 with data that stay. It ends with this process, even after SIGKILL.
 * Rejects with an `EngineError` that has etcd's last lines.
 */
export async function startStackEtcd(program: EtcdProgram, options: StackEtcdOptions): Promise<StackEtcd> {
  const { dataDir, port } = options;
  const url = `http://127.0.0.1:${port}`;
  const name = `plumbline-etcd-${port}`;
  // The folder around it is for other users' engines too.
  mkdirSync(dirname(dataDir), { recursive: true });
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const line =
    "command" in program ? ownLine(program.command, options) : await containerLine(program.image, name, options);
  const child = spawnSupervised({ prefix: [] }, line[0], line.slice(1), { environment: {}, lastSignal: "INT" });
  let output = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    output = (output + text).slice(-shownCharacters);
  });
  const exited = once(child, "exit");
  const until = performance.now() + startTimeoutMs;
  while (!(await isHealthy(url))) {
    if (child.exitCode !== null || performance.now() > until) {
      await end(child, exited);
      throw new EngineError("start_failed", `etcd did not become healthy on port ${port}. Its last lines:\n${output}`);
    }
    await sleep(50);
  }
  const isContainer = "image" in program;
  return {
    url,
    etcdctl: isContainer ? `docker exec -i ${name} etcdctl` : `etcdctl${port === 2_379 ? "" : ` --endpoints ${url}`}`,
    pid: isContainer ? undefined : child.pid,
    [Symbol.asyncDispose]: () => end(child, exited),
  };
}

function ownLine(command: string, { dataDir, port }: StackEtcdOptions): [string, ...string[]] {
  return [command, ...memberArguments(`http://127.0.0.1:${port}`, resolve(dataDir))];
}

/** Pulls the image if it is missing, and removes a container that an earlier run left. */
async function containerLine(image: string, name: string, options: StackEtcdOptions): Promise<[string, ...string[]]> {
  try {
    await docker("docker", ["image", "inspect", image]);
  } catch {
    await docker("docker", ["pull", "--quiet", image], { timeout: pullTimeoutMs }).catch((error: unknown) => {
      const why = (error as { stderr?: string }).stderr?.trim() || String(error);
      throw new EngineError("start_failed", `Docker cannot pull ${image}: ${why}\nDo: ${howToGetEtcd}.`);
    });
  }
  await docker("docker", ["rm", "--force", name]).catch(() => {});
  const user = process.getuid === undefined ? [] : [`--user=${process.getuid()}:${process.getgid?.()}`];
  const run = ["run", "--rm", `--name=${name}`, "--memory=256m"];
  const rights = ["--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges", ...user];
  const places = [`--publish=127.0.0.1:${options.port}:2379`, `--volume=${resolve(options.dataDir)}:/data`];
  return ["docker", ...run, ...rights, ...places, image, "etcd", ...memberArguments("http://0.0.0.0:2379", "/data")];
}

function memberArguments(listen: string, folder: string): string[] {
  // A single member has no peers: any free port does.
  const peer = "http://127.0.0.1:0";
  return [
    "--name=plumbline",
    `--data-dir=${folder}`,
    `--listen-client-urls=${listen}`,
    `--advertise-client-urls=${listen}`,
    `--listen-peer-urls=${peer}`,
    `--initial-advertise-peer-urls=${peer}`,
    `--initial-cluster=plumbline=${peer}`,
    "--log-level=error",
    ...bounds,
  ];
}

async function end(child: SupervisedProcess, exited: Promise<unknown>): Promise<void> {
  child.kill("SIGTERM");
  const force = setTimeout(() => child.kill("SIGKILL"), stopTimeoutMs);
  await exited;
  clearTimeout(force);
}

async function isHealthy(url: string): Promise<boolean> {
  try {
    const answer = await fetch(new URL("/health", url), { signal: AbortSignal.timeout(1_000) });
    return ((await answer.json()) as { health?: string }).health === "true";
  } catch {
    return false;
  }
}

/**
 * Puts each document whose key is missing, and leaves the others as they are. Resolves with the
 * keys that it has put.
 */
export async function putMissing(url: string, documents: ReadonlyMap<string, string>): Promise<string[]> {
  const put: string[] = [];
  for (const [key, text] of documents) {
    const [encodedKey, value] = [Buffer.from(key).toString("base64"), Buffer.from(text).toString("base64")];
    const answer = await fetch(new URL("/v3/kv/txn", url), {
      method: "POST",
      body: JSON.stringify({
        compare: [{ key: encodedKey, target: "CREATE", result: "EQUAL", create_revision: "0" }],
        success: [{ request_put: { key: encodedKey, value } }],
      }),
      signal: AbortSignal.timeout(5_000),
    });
    const { succeeded = false, message } = (await answer.json()) as { succeeded?: boolean; message?: string };
    if (!answer.ok) throw new EngineError("start_failed", `etcd at ${url} did not take ${key}: ${message}`);
    if (succeeded) put.push(key);
  }
  return put;
}
