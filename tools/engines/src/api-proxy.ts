import { once } from "node:events";
import { createServer, type IncomingMessage, request as requestHttp, type ServerResponse } from "node:http";
import { request as requestHttps } from "node:https";
import type { AddressInfo, Socket } from "node:net";

/** An HTTP server and the credentials that it asks for. */
export interface ApiServer {
  readonly url: string;
  readonly ca?: string | undefined;
  readonly certificate?: string | undefined;
  readonly key?: string | undefined;
  readonly token?: string | undefined;
}

/** A proxy in front of an HTTP server, with faults and a list of the requests. */
export interface ApiProxy extends AsyncDisposable {
  /** Its address, without TLS. It adds the credentials. */
  readonly url: string;
  readonly requests: readonly { readonly method: string; readonly path: string; readonly at: number }[];
  /** Answers requests that `matches` with a status, until `restore`. */
  answer(status: number, matches?: (method: string, path: string) => boolean): void;
  /** Answers nothing and passes nothing on, on open connections too, as a lost network does. */
  stall(): void;
  /** Ends all connections, and each new one at once. */
  cut(): void;
  /** Ends all faults. Connections that were stalled end. */
  restore(): void;
}

/** Starts a proxy on a free port of the loopback address. */
export async function proxyToApi(server: () => Promise<ApiServer>): Promise<ApiProxy> {
  const sockets = new Set<Socket>();
  const requests: ApiProxy["requests"][number][] = [];
  let fault: "none" | "stall" | "cut" = "none";
  let refused: { status: number; matches: (method: string, path: string) => boolean } | undefined;

  const forward = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { method = "GET", url: path = "/" } = request;
    requests.push({ method, path, at: performance.now() });
    if (fault !== "none") return;
    if (refused?.matches(method, path) === true) {
      const { status } = refused;
      response.writeHead(status, { "content-type": "application/json" });
      response.end(JSON.stringify({ kind: "Status", message: `the proxy answers ${status}`, code: status }));
      return;
    }
    const { url, ca, certificate: cert, key, token } = await server();
    const { host: _, connection: _c, authorization: given, ...headers } = request.headers;
    const authorization = token === undefined ? given : `Bearer ${token}`;
    const target = new URL(path, url);
    const send = target.protocol === "https:" ? requestHttps : requestHttp;
    const onward = send(target, {
      method,
      headers: { ...headers, ...(authorization !== undefined && { authorization }) },
      agent: false,
      ...(ca !== undefined && { ca }),
      ...(cert !== undefined && { cert }),
      ...(key !== undefined && { key }),
    });
    response.once("close", () => onward.destroy());
    onward.on("error", () => response.destroy());
    onward.once("response", (answer) => {
      if (fault !== "none") return;
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      response.flushHeaders();
      answer.on("data", (chunk: Buffer) => {
        if (fault === "none") response.write(chunk);
      });
      answer.once("end", () => {
        if (fault === "none") response.end();
      });
      answer.once("error", () => response.destroy());
    });
    request.pipe(onward);
  };

  const proxy = createServer((request, response) => {
    forward(request, response).catch(() => response.destroy());
  });
  proxy.on("connection", (socket) => {
    if (fault === "cut") {
      socket.destroy();
      return;
    }
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    socket.on("error", () => undefined);
  });
  proxy.listen(0, "127.0.0.1");
  await once(proxy, "listening");
  const drop = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    url: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`,
    requests,
    answer(status, matches = () => true) {
      refused = { status, matches };
    },
    stall() {
      fault = "stall";
    },
    cut() {
      fault = "cut";
      drop();
    },
    restore() {
      if (fault === "stall") drop();
      fault = "none";
      refused = undefined;
    },
    async [Symbol.asyncDispose]() {
      const closed = once(proxy, "close");
      proxy.close();
      drop();
      await closed;
    },
  };
}
