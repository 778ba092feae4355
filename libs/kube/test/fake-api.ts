import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { Event } from "@plumbline/concurrency";

/** An API server whose answers a test writes: for faults that a real one cannot be made to have. */
export interface FakeApi extends AsyncDisposable {
  readonly url: string;
  /** The objects of the next list, and its version. */
  objects: readonly object[];
  version: string;
  /** The status of the next answers, if not 200. */
  status: number;
  /** The same for watches alone. */
  watchStatus: number;
  /** Accepts requests and does not answer. */
  isSilent: boolean;
  readonly requests: readonly {
    readonly isWatch: boolean;
    readonly query: URLSearchParams;
    readonly token: string | undefined;
    readonly at: number;
  }[];
  /** Resolves with the number of open watches once there is one. */
  watched(): Promise<void>;
  /** Sends an event to every open watch. */
  send(event: object): void;
  sendText(text: string): void;
  /** Ends every open watch in order, or cuts it. */
  end(): void;
  cut(): void;
}

export interface FakeTls {
  readonly key: string;
  readonly cert: string;
  readonly ca: string;
}

export async function startFakeApi(tls?: FakeTls): Promise<FakeApi> {
  const watches = new Set<ServerResponse>();
  const requests: FakeApi["requests"][number][] = [];
  const opened = new Event();
  const onRequest = (request: IncomingMessage, response: ServerResponse): void => {
    const { searchParams: query } = new URL(request.url ?? "", "http://fake");
    const isWatch = query.get("watch") === "true";
    const at = performance.now();
    requests.push({ isWatch, query, token: request.headers.authorization, at });
    if (api.isSilent) return;
    const status = isWatch && api.watchStatus !== 200 ? api.watchStatus : api.status;
    response.writeHead(status, { "content-type": "application/json" });
    if (status !== 200) {
      response.end(JSON.stringify({ kind: "Status", message: `refused with ${status}`, code: status }));
    } else if (isWatch) {
      response.flushHeaders();
      watches.add(response);
      response.once("close", () => watches.delete(response));
      opened.set();
    } else {
      response.end(JSON.stringify({ metadata: { resourceVersion: api.version }, items: api.objects }));
    }
  };
  const server =
    tls === undefined
      ? createServer(onRequest)
      : createTlsServer({ ...tls, requestCert: true, rejectUnauthorized: true }, onRequest);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const scheme = tls === undefined ? "http" : "https";
  const api: FakeApi = {
    url: `${scheme}://127.0.0.1:${(server.address() as AddressInfo).port}`,
    objects: [],
    version: "1",
    status: 200,
    watchStatus: 200,
    isSilent: false,
    requests,
    watched: async () => void (await opened.wait()),
    send: (event) => api.sendText(`${JSON.stringify(event)}\n`),
    sendText: (text) => {
      for (const watch of watches) watch.write(text);
    },
    end: () => {
      for (const watch of watches) watch.end();
    },
    cut: () => {
      for (const watch of watches) watch.destroy();
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      const closed = once(server, "close");
      server.close();
      await closed;
    },
  };
  return api;
}
