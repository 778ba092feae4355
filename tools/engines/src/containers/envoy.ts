import { text } from "node:stream/consumers";
import { GenericContainer } from "testcontainers";
import { envoyArguments, type RunningEnvoy } from "../envoy/bootstrap.ts";

export const envoyImage = "envoyproxy/envoy:v1.40.0";

/**
 * Starts an Envoy in a container on the network of the host: it calls servers on the loopback, and
 * its listeners are wherever the control plane puts them.
 */
export async function startEnvoyContainer(config: string, folder?: string): Promise<RunningEnvoy> {
  const container = await new GenericContainer(envoyImage)
    .withNetworkMode("host")
    .withCommand([...envoyArguments(config)])
    .withBindMounts(folder === undefined ? [] : [{ source: folder, target: folder, mode: "ro" }])
    .withStartupTimeout(60_000)
    .start();
  return {
    log: async () => {
      const logs = await container.logs();
      // The stream of a running container has no end.
      setTimeout(() => logs.destroy(), 300);
      return await text(logs).catch(() => "");
    },
    [Symbol.asyncDispose]: async () => {
      await container.stop();
    },
  };
}
