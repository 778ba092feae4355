import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

/** The most connections at a time: the kubelet and the operator need one each. */
const maxConnections = 16;
const requestMs = 5_000;

/**
 * Answers which versions the folders show: `/` with 200 once every folder has one, and 503 before,
 * in both cases with the versions by name. Nothing that it says is secret.
 */
export async function serveVersions(
  port: number,
  names: readonly string[],
  versions: ReadonlyMap<string, string>,
): Promise<AsyncDisposable & { readonly port: number }> {
  const server = createServer({ requestTimeout: requestMs, headersTimeout: requestMs }, (_request, response) => {
    const isComplete = names.every((name) => versions.has(name));
    response.writeHead(isComplete ? 200 : 503, { "content-type": "application/json", connection: "close" });
    response.end(JSON.stringify({ versions: Object.fromEntries(versions) }));
  });
  server.maxConnections = maxConnections;
  server.listen(port);
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}
