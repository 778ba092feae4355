import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { ServiceError } from "@plumbline/errors";
import type { Health } from "./health.ts";
import { answerHealth, type OpsAnswer } from "./ops-answer.ts";

export interface OpsOptions {
  /** All interfaces when not given: probes and scrapers come from outside the container. */
  readonly host?: string | undefined;
  /** 0 takes a free one. */
  readonly port: number;
  readonly health: Health;
  /** As OpenMetrics for a scraper that accepts it, else in Prometheus's text format. */
  readonly metrics: (format: {
    readonly openMetrics: boolean;
  }) => Promise<{ readonly contentType: string; readonly body: string }>;
  /** Told of a scrape that failed; its reader gets "internal" and no more. */
  readonly onError?: ((error: unknown) => void) | undefined;
}

const metricsMs = 5_000;

/**
 * Serves /healthz (is the process alive), /readyz (should it get work) and /metrics, on a port of their own that is not
 * for the public. At most 64 connections; headers within 5 s; no bodies. Disposing closes it: at most one second, last,
 * so that probes can see the drain.
 */
export async function serveOps(options: OpsOptions): Promise<AsyncDisposable & { readonly port: number }> {
  const plain = shared(() => scrape(options, { openMetrics: false }));
  const open = shared(() => scrape(options, { openMetrics: true }));
  const metrics = ({ headers }: IncomingMessage) => (acceptsOpenMetrics(headers.accept) ? open() : plain());
  const server = createServer(
    {
      headersTimeout: 5_000,
      requestTimeout: 5_000,
      keepAliveTimeout: 5_000,
      connectionsCheckingInterval: 1_000,
      maxHeaderSize: 8_192,
    },
    (request, response) => void answer(request, response, options.health, metrics),
  );
  server.maxConnections = 64;

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
      const stop = new AbortController();
      const late = sleep(1_000, undefined, { signal: stop.signal }).catch(() => {});
      await Promise.race([closed, late]);
      stop.abort();
      server.closeAllConnections();
      await closed;
    },
  };
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error) || !("code" in error)) return String(error);
  if (error.code === "EADDRINUSE") return "another process has it";
  if (error.code === "EACCES") return "this user may not";
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
  // What we will not read, we will not wait for: the connection ends with the answer.
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
  response.end(reply.body); // Of HEAD, Node sends the headers alone.
}

/** Prometheus asks for it by name, before its own format. */
function acceptsOpenMetrics(accept = ""): boolean {
  return accept
    .split(",")
    .some((range) => /^\s*application\/openmetrics-text\b/.test(range) && !/;\s*q=0(?:\.0*)?\s*(?:;|$)/.test(range));
}

async function scrape({ metrics, onError }: OpsOptions, format: { readonly openMetrics: boolean }): Promise<OpsAnswer> {
  const stop = new AbortController();
  const late = sleep(metricsMs, undefined, { signal: stop.signal }).then(() => {
    throw new Error(`no metrics within ${metricsMs} ms`);
  });
  late.catch(() => {}); // Loses the race as a rule, and is then nobody's.
  try {
    return { status: 200, ...(await Promise.race([metrics(format), late])) };
  } catch (error) {
    onError?.(error);
    return { status: 500, contentType: "text/plain; charset=utf-8", body: "internal\n" };
  } finally {
    stop.abort();
  }
}

/** Whoever asks while an answer is being made gets the same: rendering is the expensive part of a scrape. */
function shared<T>(make: () => Promise<T>): () => Promise<T> {
  let running: Promise<T> | undefined;
  return () =>
    (running ??= make().finally(() => {
      running = undefined;
    }));
}
