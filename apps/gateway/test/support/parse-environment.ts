import type { FileRegistry } from "@bufbuild/protobuf";
import { env, loadConfig } from "@plumbline/config";
import { gatewayConfig } from "../../src/config.ts";

/** Returns the upstreams that these variables set for a gateway in front of `registry`. */
export async function parseEnvironment(registry: FileRegistry, environment: Record<string, string>): Promise<unknown> {
  const { upstreams } = await loadConfig(gatewayConfig(registry), [
    env("GATEWAY", { GATEWAY_AUTH_OFF: "true", GATEWAY_HTTP_HOST: "127.0.0.1", ...environment }),
  ]);
  return upstreams;
}
