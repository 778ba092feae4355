import { execFile } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { GenericContainer, Wait } from "testcontainers";
import { agentArguments, type ConsulAgent, type ConsulOptions, consulPorts, hasLeader } from "../consul/agent.ts";
import { EngineError } from "../engine-error.ts";

/** The last line of releases under the Mozilla Public License. */
export const consulImage = "hashicorp/consul:1.14.11";

const startTimeoutMs = 30_000;
const docker = promisify(execFile);

/**
 * Starts a Consul agent for tests in a container. It shares the host's network and listens on
 * 127.0.0.1 only, so that it can check servers of this process.
 */
export async function startConsulContainer(options: ConsulOptions = {}): Promise<ConsulAgent> {
  const ports = await consulPorts();
  const url = `http://127.0.0.1:${ports.http}`;
  const container = await new GenericContainer(consulImage)
    .withNetworkMode("host")
    .withCommand(["consul", ...agentArguments(ports, "/consul/data", options)])
    .withWaitStrategy(Wait.forLogMessage(/Consul agent running|Log data will now stream in/))
    .withStartupTimeout(60_000)
    .start();
  await using started = new AsyncDisposableStack();
  started.defer(async () => void (await container.stop({ timeout: 0 })));
  const ready = async (): Promise<void> => {
    const until = performance.now() + startTimeoutMs;
    while (!(await hasLeader(url, options.token))) {
      if (performance.now() > until) {
        throw new EngineError("start_failed", `${consulImage} did not answer on port ${ports.http}.`);
      }
      await sleep(50);
    }
  };
  await ready();
  const owned = started.move();
  return {
    url,
    dns: { host: "127.0.0.1", port: ports.dns },
    kill: async () => void (await docker("docker", ["kill", container.getId()])),
    async start() {
      await docker("docker", ["start", container.getId()]);
      await ready();
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
