import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { EngineError } from "../engine-error.ts";
import { type SupervisedProcess, spawnSupervised } from "../supervised.ts";
import { agentArguments, type ConsulAgent, type ConsulOptions, consulPorts, hasLeader } from "./agent.ts";

const startTimeoutMs = 30_000;

/** Returns true if this machine has the program consul. */
export function hasConsul(): boolean {
  return spawnSync("consul", ["version"]).status === 0;
}

/** Starts the consul on the PATH, on 127.0.0.1. It ends with this process. */
export async function startConsul(options: ConsulOptions = {}): Promise<ConsulAgent> {
  const ports = await consulPorts();
  const folder = mkdtempSync(join(tmpdir(), "consul-"));
  const url = `http://127.0.0.1:${ports.http}`;
  let child: SupervisedProcess | undefined;
  let ended: Promise<unknown> = Promise.resolve();
  const agent: ConsulAgent = {
    url,
    dns: { host: "127.0.0.1", port: ports.dns },
    async kill() {
      child?.kill("SIGKILL");
      await ended;
    },
    async start() {
      const process = spawnSupervised({ prefix: [] }, "consul", agentArguments(ports, folder, options), {
        environment: {},
        lastSignal: "INT",
        removeFolder: folder,
      });
      child = process;
      process.stderr.resume();
      ended = once(process, "exit");
      const until = performance.now() + startTimeoutMs;
      while (!(await hasLeader(url, options.token))) {
        if (process.exitCode !== null || performance.now() > until) {
          process.kill("SIGKILL");
          throw new EngineError("start_failed", `consul did not answer on port ${ports.http}.`);
        }
        await sleep(50);
      }
    },
    async [Symbol.asyncDispose]() {
      await agent.kill();
      rmSync(folder, { recursive: true, force: true });
    },
  };
  await agent.start();
  return agent;
}
