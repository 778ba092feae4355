import { once } from "node:events";
import { createServer, type ServerOptions as HttpOptions, type RequestListener, type Server } from "node:http";
import { Server as NetServer, type Socket } from "node:net";
import { deadline, type PlaceOwner, Places, placeSocket, within } from "@plumbline/concurrency";
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
  /** Connections at once, shared among peers; 10,000 and 1,000 per peer if absent. */
  readonly places?: Places | undefined;
  /** Returns the peer at an address; one that is not favoured, for each address, if absent. */
  readonly ownerOf?: ((address: string | undefined) => PlaceOwner) | undefined;
  /** Returns true while no request of a connection is answered; always true if absent. */
  readonly isIdle?: ((socket: Socket) => boolean) | undefined;
  /** Counts and judges what never becomes a request; everything is answered if absent. */
  readonly refusals?: Refusals | undefined;
  /** The classes of requests and responses; Node's own if absent. */
  readonly messages?: Pick<HttpOptions, "IncomingMessage" | "ServerResponse"> | undefined;
}

/** A refusal of bytes that never become a request for the application. */
export interface Refusal {
  readonly status: number;
  readonly title: string;
  readonly detail: string;
  /** The code of a problem document. */
  readonly code: string;
  readonly headers?: string | undefined;
}

/**
 * A record of refusals. `judge` counts one against its client and returns the refusal to send:
 * another one if the client sends too many.
 */
export interface Refusals {
  judge(refusal: Refusal, address: string | undefined): Promise<Refusal>;
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
      // The application checks Host, and answers with a problem document.
      requireHostHeader: false,
      ...options.messages,
    },
    handler,
  );
  const places = options.places ?? new Places({ inAll: 10_000, perPeer: 1_000 });
  const { ownerOf = anyAddress, isIdle = () => true } = options;
  server.on("connection", (socket: Socket) => {
    placeSocket(places, ownerOf(socket.remoteAddress), socket, () => isIdle(socket));
  });
  // Without these listeners Node answers with an empty body, or with 100 before a certain refusal.
  server.on("checkContinue", handler).on("checkExpectation", handler);
  const refuse = refuser(options.refusals);
  server.on("clientError", (error: NodeJS.ErrnoException, socket: Socket) => {
    if (!socket.writable || error.code === "ECONNRESET") socket.destroy();
    else void refuse(socket, parserFailures[error.code ?? ""] ?? badRequest);
  });
  server.on("connect", (_request, socket: Socket) => {
    socket.on("error", () => socket.destroy());
    void refuse(socket, noTunnel);
  });
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

function anyAddress(address = ""): PlaceOwner {
  return { key: address, favoured: false };
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

const code = "invalid_argument";

const badRequest: Refusal = {
  status: 400,
  title: "Bad Request",
  detail: "The request is not valid HTTP/1.1.",
  code,
};

const noTunnel: Refusal = {
  status: 405,
  title: "Method Not Allowed",
  detail: "This server is no proxy: CONNECT is not supported.",
  code: "unimplemented",
  headers: "Allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n",
};

/** The failures of Node's parser. */
const parserFailures: Readonly<Record<string, Refusal>> = {
  HPE_HEADER_OVERFLOW: {
    status: 431,
    title: "Request Header Fields Too Large",
    detail: `The headers are larger than ${maxHeadBytes} bytes.`,
    code,
  },
  ERR_HTTP_REQUEST_TIMEOUT: {
    status: 408,
    title: "Request Timeout",
    detail: "The request did not arrive completely in time.",
    code,
  },
};

/** The longest that a refused client may take to read the answer and close. */
const lingerAfterRefusalMs = 2_000;

/**
 * Returns a function that answers a connection without a request, and closes it. There is no
 * response object, so the text is written by hand.
 */
function refuser(refusals: Refusals | undefined): (socket: Socket, refusal: Refusal) => Promise<void> {
  return async (socket, refusal) => {
    // Nothing more is read. Without this an answer that is not taken would keep the connection.
    const timer = setTimeout(() => socket.destroy(), lingerAfterRefusalMs);
    socket.once("close", () => clearTimeout(timer));
    const sent = (await refusals?.judge(refusal, socket.remoteAddress).catch(() => undefined)) ?? refusal;
    // The client has closed in the meantime.
    if (!socket.writable) socket.destroy();
    const { status, title, detail, code, headers = "" } = sent;
    const body = JSON.stringify({ type: "about:blank", title, status, detail, code });
    socket.end(
      `HTTP/1.1 ${status} ${title}\r\nContent-Type: application/problem+json\r\nContent-Length: ${body.length}\r\n${headers}Connection: close\r\n\r\n${body}`,
    );
  };
}
