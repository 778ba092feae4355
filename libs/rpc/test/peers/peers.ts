/** The programs of other implementations of gRPC, kept in node_modules/.cache. */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, rmSync } from "node:fs";
import { mkdir, mkdtemp, rename, rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";

const run = promisify(execFile);
const root = resolve(import.meta.dirname, "../../../..");
const cache = join(root, "node_modules/.cache/peers");
const here = (file: string): string => join(import.meta.dirname, file);

/** A program that is a client or a server, by its first argument. */
export interface Peer {
  readonly command: string;
  readonly args: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
}

/** gRPC's C core, by its wheels for Python. Rejects with the reason if it cannot be had. */
export async function grpcio(): Promise<Peer> {
  const { stdout } = await run("python3", ["-c", "import sys; print('%d.%d' % sys.version_info[:2])"]);
  const wheels = await made(`grpcio-1.85.1-python-${stdout.trim()}`, async (folder) => {
    const exactly = ["--require-hashes", "--only-binary", ":all:", "-r", here("requirements.txt")];
    const quietly = ["--quiet", "--disable-pip-version-check", "--no-cache-dir"];
    await run("python3", ["-m", "pip", "install", ...quietly, ...exactly, "--target", folder], { timeout: 300_000 });
  });
  return {
    command: "python3",
    args: [here("peer.py")],
    environment: { PYTHONPATH: wheels, PYTHONDONTWRITEBYTECODE: "1" },
  };
}

/** grpc-java on Netty, by its jars. Rejects with the reason if it cannot be had. */
export async function grpcJava(): Promise<Peer> {
  const jars = await made("grpc-java-1.85.1", async (folder) => {
    const copy = ["dependency:copy-dependencies", `-DoutputDirectory=${folder}`];
    await run("mvn", ["-q", "-B", "-ntp", "-f", here("pom.xml"), ...copy], { timeout: 300_000 });
  });
  const classes = await mkdtemp(join(cache, "classes-"));
  await run("javac", ["-encoding", "UTF-8", "-cp", `${jars}/*`, "-d", classes, here("Peer.java")], {
    timeout: 300_000,
  });
  process.once("exit", () => rmSync(classes, { recursive: true, force: true }));
  return { command: "java", args: ["-Dstdout.encoding=UTF-8", "-cp", `${jars}/*:${classes}`, "Peer"], environment: {} };
}

/** Fills a folder of the cache, unless an earlier run did. Another process may do the same. */
async function made(name: string, fill: (folder: string) => Promise<void>): Promise<string> {
  const target = join(cache, name);
  if (existsSync(target)) return target;
  await mkdir(cache, { recursive: true });
  const aside = await mkdtemp(`${target}-`);
  try {
    await fill(aside);
    await rename(aside, target).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "ENOTEMPTY" && error.code !== "EEXIST") throw error;
    });
  } finally {
    await rm(aside, { recursive: true, force: true });
  }
  return target;
}

/** Runs the peer's client against a server of ours. Resolves with the lines that it printed. */
export async function runClient(peer: Peer, port: number, ca?: string): Promise<string[]> {
  const child = started(peer, ["client", `${port}`, ...(ca === undefined ? [] : [ca])]);
  const closed = once(child, "close");
  const lines = await Array.fromAsync(linesOf(child));
  await closed;
  return lines;
}

/** Starts the peer's server. Disposing it ends the process. */
export async function startServer(peer: Peer): Promise<AsyncDisposable & { readonly port: number }> {
  const child = started(peer, ["server"]);
  const closed = once(child, "close");
  const [first = ""] = (await Promise.race([once(linesOf(child), "line"), closed.then(() => [])])) as string[];
  if (!/^\d+$/.test(first)) throw new Error(`the server of ${peer.command} printed no port`);
  return {
    port: Number(first),
    async [Symbol.asyncDispose]() {
      child.stdin?.end();
      await closed;
    },
  };
}

function started({ command, args, environment }: Peer, own: readonly string[]): ChildProcess {
  const env = { ...process.env, ...environment };
  return spawn(command, [...args, ...own], { env, stdio: ["pipe", "pipe", "inherit"], timeout: 120_000 });
}

function linesOf(child: ChildProcess) {
  if (child.stdout === null) throw new TypeError("no output");
  return createInterface({ input: child.stdout });
}
