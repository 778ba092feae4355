import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

/** An issuer whose documents a test replaces, and whose requests it counts. */
export interface TestIssuer extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  /** The requests for each path. */
  readonly requests: Map<string, number>;
  discovery: unknown;
  /** A document, or a function that answers as it likes. */
  jwks: unknown;
}

export const jwksPath = "/jwks";
export const discoveryPath = "/.well-known/openid-configuration";

export async function startIssuer(jwks: unknown, port = 0): Promise<TestIssuer> {
  const requests = new Map<string, number>();
  const server = createServer((request, response) => {
    const path = request.url ?? "";
    requests.set(path, (requests.get(path) ?? 0) + 1);
    const document = path === discoveryPath ? issuer.discovery : path === jwksPath ? issuer.jwks : undefined;
    if (typeof document === "function") (document as Answer)(request, response);
    else if (document === undefined) response.writeHead(404).end();
    else response.end(typeof document === "string" ? document : JSON.stringify(document));
  }).listen(port, "127.0.0.1");
  await once(server, "listening");
  const bound = (server.address() as AddressInfo).port;
  const url = `http://127.0.0.1:${bound}`;
  const issuer: TestIssuer = {
    url,
    port: bound,
    requests,
    discovery: { issuer: url, jwks_uri: `${url}${jwksPath}` },
    jwks,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return issuer;
}
