import { once } from "node:events";
import { createServer, type ServerOptions as HttpOptions, type RequestListener, type Server } from "node:http";
import { Server as NetServer, type Socket } from "node:net";
import { deadline, within } from "@plumbline/concurrency";
import { ServiceError } from "@plumbline/errors";

/** The largest head of a request. */
const maxHeadBytes = 16 * 1024;

export interface ServerOptions {
  readonly host: string;
  /** 0 picks a free port. */
  readonly port: number;
  /** The longest that closing waits for responses in flight before it cuts their connections. */
  readonly graceMs: number;
  /**
   * The time that idle connections stay open once the server closes; 250 ms if absent. A request
   * that was sent before its client saw the close is still answered.
   */
  readonly lingerMs?: number | undefined;
  /** The longest that a request's head and body may take to arrive. */
  readonly requestTimeoutMs?: number;
  readonly maxConnections?: number;
  /** The classes of requests and responses; Node's own if absent. */
  readonly messages?: Pick<HttpOptions, "IncomingMessage" | "ServerResponse"> | undefined;
}

/**
 * A listening HTTP server. Disposing refuses new connections, waits for responses in flight, then
 * closes.
 */
export interface HttpServer extends AsyncDisposable {
  readonly port: number;
}

/** Starts a server. Rejects with ServiceError unavailable if the port cannot be opened. */
export async function listen(handler: RequestListener, options: ServerOptions): Promise<HttpServer> {
  const server = createServer(
    {
      requestTimeout: options.requestTimeoutMs ?? 30_000,
      headersTimeout: 10_000,
      // Longer than the usual idle timeout of load balancers (60 s), so that they close idle
      // connections, not the server.
      keepAliveTimeout: 65_000,
      connectionsCheckingInterval: 1000,
      maxHeaderSize: maxHeadBytes,
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
    const why = taken ? "another process uses it; stop it or set another port" : String(cause);
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
  // Not server.close(): it also ends idle connections at once, which would lose a request that is
  // in the socket but not yet read. Idle connections get a moment; their requests are answered with
  // "Connection: close".
  NetServer.prototype.close.call(server);
  using limit = deadline(graceMs);
  await within(closed, { ms: Math.min(lingerMs, graceMs) }).catch(() => undefined);
  const sweep = setInterval(() => server.closeIdleConnections(), 50);
  try {
    server.closeIdleConnections();
    await within(closed, limit).catch(() => undefined);
  } finally {
    clearInterval(sweep);
    server.closeAllConnections();
  }
  await closed;
}

/** The failures of Node's parser: status, title and detail. */
const parserFailures: Readonly<Record<string, readonly [number, string, string]>> = {
  HPE_HEADER_OVERFLOW: [431, "Request Header Fields Too Large", `The headers are larger than ${maxHeadBytes} bytes.`],
  ERR_HTTP_REQUEST_TIMEOUT: [408, "Request Timeout", "The request did not arrive completely in time."],
};

/**
 * Answers bytes that Node could not read as HTTP. There is no response object yet, so the text is
 * written by hand.
 */
function answerBadRequest(error: NodeJS.ErrnoException, socket: Socket): void {
  if (!socket.writable || error.code === "ECONNRESET") return void socket.destroy();
  const [status, title, detail] = parserFailures[error.code ?? ""] ?? [
    400,
    "Bad Request",
    "The request is not valid HTTP/1.1.",
  ];
  const body = JSON.stringify({ type: "about:blank", title, status, detail, code: "invalid_argument" });
  socket.end(
    `HTTP/1.1 ${status} ${title}\r\nContent-Type: application/problem+json\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`,
  );
}
