import { execFile } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { GenericContainer } from "testcontainers";
import { EngineError } from "../engine-error.ts";
import {
  type EtcdOptions,
  type EtcdServer,
  etcdArguments,
  etcdPorts,
  isHealthy,
  tlsFiles,
  urlOf,
} from "../etcd/server.ts";

export const etcdImage = "gcr.io/etcd-development/etcd:v3.5.16";

const startTimeoutMs = 30_000;
const docker = promisify(execFile);

/**
 * Starts an etcd for tests in a container. It shares the host's network and listens on 127.0.0.1
 * only.
 */
export async function startEtcdContainer(options: EtcdOptions = {}): Promise<EtcdServer> {
  const ports = options.member?.ports ?? (await etcdPorts());
  const files = options.tls ? [...tlsFiles(options.tls)] : [];
  const container = await new GenericContainer(etcdImage)
    .withNetworkMode("host")
    .withCopyContentToContainer(files.map(([name, content]) => ({ content, target: `/etcd/${name}` })))
    // Memory of the container, which is gone when it ends.
    .withTmpFs(options.keepsData === false ? { "/etcd/data": "rw,mode=0700" } : {})
    .withCommand(["etcd", ...etcdArguments(ports, "/etcd", options)])
    .withStartupTimeout(60_000)
    .start();
  await using started = new AsyncDisposableStack();
  started.defer(async () => void (await container.stop({ timeout: 0 })));
  const ready = async (): Promise<void> => {
    const until = performance.now() + startTimeoutMs;
    while (!(await isHealthy(ports))) {
      if (performance.now() > until) {
        throw new EngineError("start_failed", `${etcdImage} did not become healthy on port ${ports.client}.`);
      }
      await sleep(50);
    }
  };
  await ready();
  const owned = started.move();
  return {
    url: urlOf(ports, options),
    kill: async () => void (await docker("docker", ["kill", container.getId()])),
    async start() {
      await docker("docker", ["start", container.getId()]);
      await ready();
    },
    pause: async () => void (await docker("docker", ["pause", container.getId()])),
    resume: async () => void (await docker("docker", ["unpause", container.getId()])),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
