import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { Places, placeSocket, within } from "@plumbline/concurrency";
import { ServiceError } from "@plumbline/errors";
import type { Health } from "./health.ts";
import { answerHealth, type OpsAnswer } from "./ops-answer.ts";

export interface OpsOptions {
  /** Default: all interfaces, since probes and scrapers connect from outside the container. */
  readonly host?: string | undefined;
  /** 0 takes a free port. */
  readonly port: number;
  readonly health: Health;
  /** Renders OpenMetrics for a scraper that accepts it, else Prometheus's text format. */
  readonly metrics: (format: {
    readonly openMetrics: boolean;
  }) => Promise<{ readonly contentType: string; readonly body: string }>;
  /** Called with the error of a failed scrape, whose answer is only "internal". */
  readonly onError?: ((error: unknown) => void) | undefined;
}

const metricsMs = 5_000;

/**
 * Serves /healthz (is the process alive), /readyz (should it get work) and /metrics on a port that
 * must not be public. Accepts 64 connections, 16 from one address, headers within 5 s, and no
 * bodies. At a bound the oldest idle connection is closed. Eight places are kept for the loopback,
 * which has no bound of its own. Disposing takes at most one second. Dispose it last, so that
 * probes can see the drain.
 */
export async function serveOps(options: OpsOptions): Promise<AsyncDisposable & { readonly port: number }> {
  const plain = shared(() => scrape(options, { openMetrics: false }));
  const open = shared(() => scrape(options, { openMetrics: true }));
  const metrics = ({ headers }: IncomingMessage) => (acceptsOpenMetrics(headers.accept) ? open() : plain());
  const busy = new WeakSet<Socket>();
  const server = createServer(
    {
      headersTimeout: 5_000,
      requestTimeout: 5_000,
      keepAliveTimeout: 5_000,
      connectionsCheckingInterval: 1_000,
      maxHeaderSize: 8_192,
    },
    (request, response) => {
      const { socket } = request;
      busy.add(socket);
      response.once("close", () => busy.delete(socket));
      void answer(request, response, options.health, metrics);
    },
  );
  const places = new Places({ inAll: 64, perPeer: 16, kept: 8 });
  server.on("connection", (socket: Socket) => {
    const key = (socket.remoteAddress ?? "").replace(/^::ffff:/, "");
    const favoured = key === "::1" || key.startsWith("127.");
    placeSocket(places, { key, favoured }, socket, () => !busy.has(socket));
  });

  const { promise: listening, resolve, reject } = Promise.withResolvers<void>();
  server.once("error", reject);
  server.listen({ port: options.port, host: options.host }, resolve);
  try {
    await listening;
  } catch (cause) {
    throw new ServiceError("unavailable", `the ops port ${options.port} cannot be opened: ${reasonOf(cause)}`, {
      cause,
    });
  }
  server.off("error", reject);

  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      const { promise: closed, resolve } = Promise.withResolvers<void>();
      server.close(() => resolve());
      await within(closed, { ms: 1_000 }).catch(() => undefined);
      server.closeAllConnections();
      await closed;
    },
  };
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error) || !("code" in error)) return String(error);
  if (error.code === "EADDRINUSE") return "the port is already in use";
  if (error.code === "EACCES") return "permission denied";
  return error.message;
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  health: Health,
  metrics: (request: IncomingMessage) => Promise<OpsAnswer>,
): Promise<void> {
  const path = (request.url ?? "/").split("?", 1)[0];
  const found =
    path === "/metrics"
      ? () => metrics(request)
      : path === "/healthz" || path === "/readyz"
        ? () => answerHealth(health, path)
        : undefined;
  const headers: Record<string, string> = { "cache-control": "no-store", "content-type": "text/plain; charset=utf-8" };
  // The body is not read, so the connection ends with the answer.
  if (request.headers["content-length"] !== undefined || request.headers["transfer-encoding"] !== undefined) {
    headers["connection"] = "close";
  }
  let reply: OpsAnswer;
  if (found === undefined) reply = { status: 404, contentType: "text/plain; charset=utf-8", body: "not found\n" };
  else if (request.method !== "GET" && request.method !== "HEAD") {
    headers["allow"] = "GET, HEAD";
    reply = { status: 405, contentType: "text/plain; charset=utf-8", body: "method not allowed\n" };
  } else reply = await found();
  headers["content-type"] = reply.contentType;
  headers["content-length"] = String(Buffer.byteLength(reply.body));
  response.writeHead(reply.status, headers);
  response.end(reply.body); // Node sends no body for HEAD.
}

/** Returns true if the scraper accepts OpenMetrics, which Prometheus asks for by name. */
function acceptsOpenMetrics(accept = ""): boolean {
  return accept
    .split(",")
    .some((range) => /^\s*application\/openmetrics-text\b/.test(range) && !/;\s*q=0(?:\.0*)?\s*(?:;|$)/.test(range));
}

async function scrape({ metrics, onError }: OpsOptions, format: { readonly openMetrics: boolean }): Promise<OpsAnswer> {
  try {
    return { status: 200, ...(await within(metrics(format), { ms: metricsMs, what: "rendering the metrics" })) };
  } catch (error) {
    onError?.(error);
    return { status: 500, contentType: "text/plain; charset=utf-8", body: "internal\n" };
  }
}

/** Lets concurrent callers share one result, since rendering is the expensive part of a scrape. */
function shared<T>(make: () => Promise<T>): () => Promise<T> {
  let running: Promise<T> | undefined;
  return () =>
    (running ??= make().finally(() => {
      running = undefined;
    }));
}
