import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { EngineError } from "../engine-error.ts";
import { type SupervisedProcess, spawnSupervised } from "../supervised.ts";
import { type EtcdOptions, type EtcdServer, etcdArguments, etcdPorts, isHealthy, tlsFiles, urlOf } from "./server.ts";

const startTimeoutMs = 30_000;

/** Returns true if this machine has the program etcd. */
export function hasEtcd(): boolean {
  return spawnSync("etcd", ["--version"]).status === 0;
}

/** Starts the etcd on the PATH, on 127.0.0.1. It ends with this process. */
export async function startEtcd(options: EtcdOptions = {}): Promise<EtcdServer> {
  const ports = options.member?.ports ?? (await etcdPorts());
  const folder = mkdtempSync(join(tmpdir(), "etcd-"));
  for (const [name, text] of options.tls ? tlsFiles(options.tls) : []) {
    writeFileSync(join(folder, name), text, { mode: 0o600 });
  }
  let child: SupervisedProcess | undefined;
  let ended: Promise<unknown> = Promise.resolve();
  const server: EtcdServer = {
    url: urlOf(ports, options),
    async kill() {
      child?.kill("SIGKILL");
      await ended;
      if (options.keepsData === false) rmSync(join(folder, "data"), { recursive: true, force: true });
    },
    async start() {
      const process = spawnSupervised({ prefix: [] }, "etcd", etcdArguments(ports, folder, options), {
        environment: {},
        lastSignal: "INT",
        removeFolder: folder,
      });
      child = process;
      process.stderr.resume();
      ended = once(process, "exit");
      const until = performance.now() + startTimeoutMs;
      while (!(await isHealthy(ports))) {
        if (process.exitCode !== null || performance.now() > until) {
          process.kill("SIGKILL");
          throw new EngineError("start_failed", `etcd did not become healthy on port ${ports.client}.`);
        }
        await sleep(50);
      }
    },
    pause: async () => void child?.kill("SIGSTOP"),
    resume: async () => void child?.kill("SIGCONT"),
    async [Symbol.asyncDispose]() {
      await server.kill();
      rmSync(folder, { recursive: true, force: true });
    },
  };
  await server.start();
  return server;
}
