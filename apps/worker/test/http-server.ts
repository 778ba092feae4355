import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface TestServer extends AsyncDisposable {
  readonly url: string;
  /**
   * Counts of requests: in flight now, the most at once, all received, and those whose client hung
   * up.
   */
  readonly seen: { active: number; most: number; came: number; hungUp: number };
}

/** Starts a real server on a free port that counts its requests. */
export async function serve(
  handler: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<TestServer> {
  const seen = { active: 0, most: 0, came: 0, hungUp: 0 };
  const server = createServer((request, response) => {
    seen.came++;
    seen.active++;
    seen.most = Math.max(seen.most, seen.active);
    response.on("close", () => {
      seen.active--;
      if (!response.writableFinished) seen.hungUp++;
    });
    handler(request, response);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    seen,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}
