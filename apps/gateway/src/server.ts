import { once } from "node:events";
import { createServer, type ServerOptions as HttpOptions, type RequestListener, type Server } from "node:http";
import { Server as NetServer, type Socket } from "node:net";
import { aborted, deadline, sleep } from "@plumbline/concurrency";
import { ServiceError } from "@plumbline/errors";

export interface ServerOptions {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** How long closing waits for answers before it cuts their connections. */
  readonly graceMs: number;
  /**
   * How long idle connections stay once the server closes, 250 ms when not given: a request that its client sent before it
   * saw the end is still answered.
   */
  readonly lingerMs?: number | undefined;
  /** How long a request's head and body may take to arrive. */
  readonly requestTimeoutMs?: number;
  readonly maxConnections?: number;
  /** What requests and answers are made as; Node's own when not given. */
  readonly messages?: Pick<HttpOptions, "IncomingMessage" | "ServerResponse"> | undefined;
}

/** A listening HTTP server. Disposing it refuses new connections, waits for the answers under way, then closes. */
export interface HttpServer extends AsyncDisposable {
  readonly port: number;
}

export async function listen(handler: RequestListener, options: ServerOptions): Promise<HttpServer> {
  const server = createServer(
    {
      requestTimeout: options.requestTimeoutMs ?? 30_000,
      headersTimeout: 10_000,
      // Longer than the idle timeout of the usual load balancers (60 s), so that it is they who close an idle connection.
      keepAliveTimeout: 65_000,
      connectionsCheckingInterval: 1000,
      maxHeaderSize: 16 * 1024,
      ...options.messages,
    },
    handler,
  );
  server.maxConnections = options.maxConnections ?? 10_000;
  server.on("clientError", answerBadRequest);
  server.listen(options.port, options.host);
  try {
    await once(server, "listening");
  } catch (cause) {
    const taken = cause instanceof Error && "code" in cause && cause.code === "EADDRINUSE";
    const why = taken ? "another process has it: stop that, or set another port" : String(cause);
    throw new ServiceError("unavailable", `port ${options.port} of ${options.host} cannot be opened: ${why}`, {
      cause,
    });
  }
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the server has no port");
  return { port: address.port, [Symbol.asyncDispose]: () => close(server, options.graceMs, options.lingerMs ?? 250) };
}

async function close(server: Server, graceMs: number, lingerMs: number): Promise<void> {
  const closed = once(server, "close");
  // Not server.close(): it also ends idle connections at once, and a request that is in the socket but not yet read would
  // be lost. Those get a moment; whatever they bring is answered with "Connection: close".
  NetServer.prototype.close.call(server);
  using limit = deadline(graceMs);
  await Promise.race([closed, sleep(Math.min(lingerMs, graceMs))]);
  const sweep = setInterval(() => server.closeIdleConnections(), 50);
  try {
    server.closeIdleConnections();
    await Promise.race([closed, aborted(limit.signal)]);
  } finally {
    clearInterval(sweep);
    server.closeAllConnections();
  }
  await closed;
}

/** What Node could not read as HTTP. There is no request to answer, so the answer is written by hand. */
function answerBadRequest(error: NodeJS.ErrnoException, socket: Socket): void {
  if (!socket.writable || error.code === "ECONNRESET") return void socket.destroy();
  const [status, title] =
    error.code === "HPE_HEADER_OVERFLOW"
      ? [431, "Request Header Fields Too Large"]
      : error.code === "ERR_HTTP_REQUEST_TIMEOUT"
        ? [408, "Request Timeout"]
        : [400, "Bad Request"];
  const body = JSON.stringify({
    type: "about:blank",
    title,
    status,
    detail: "The request could not be read.",
    code: "invalid_argument",
  });
  socket.end(
    `HTTP/1.1 ${status} ${title}\r\nContent-Type: application/problem+json\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`,
  );
}
