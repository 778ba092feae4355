import type { FileRegistry } from "@bufbuild/protobuf";
import { env, loadConfig } from "@plumbline/config";
import { gatewayConfig } from "../../src/config.ts";

/** The upstreams that these variables give a gateway in front of the services in `registry`. */
export async function parseEnvironment(registry: FileRegistry, environment: Record<string, string>): Promise<unknown> {
  const { upstreams } = await loadConfig(gatewayConfig(registry), [env("GATEWAY", environment)]);
  return upstreams;
}
