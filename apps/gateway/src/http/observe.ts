import type { Socket } from "node:net";
import type { Span, Telemetry } from "@plumbline/telemetry";
import type { Binding, Match, Router } from "@plumbline/transcoding";
import type { Request, RequestHandler, Response } from "express";
import type { AuditLog } from "../audit/audit-log.ts";
import { decisionOf } from "../audit/decision.ts";
import { metadataPath } from "../auth/resource-metadata.ts";
import { clientAddress, clientKey, type IsTrusted, plainAddress } from "./client-address.ts";
import { type Exchange, setExchange } from "./exchange.ts";
import { requestIdOf } from "./headers.ts";

const methods = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]);

/** Returns a known method, or OTHER: labels must come from a small set. */
export function methodLabel(method: string | undefined): string {
  return method !== undefined && methods.has(method) ? method : "OTHER";
}

/** The pages that the gateway serves without an RPC. */
const pages = new Set(["/", metadataPath, "/openapi.json", "/docs", "/docs/docs.js", "/docs/docs.css"]);

/**
 * The outermost layer. Sets the request's id, opens its span and, once the response was sent,
 * counts it and writes its line of the access log. Labels are from closed sets: known methods,
 * templates, statuses.
 *
 * A client's trace context starts no trace here and decides no sampling: the span links to it. With
 * `trustTrace` it is the parent if it comes from a trusted proxy. `tracestate` ends here.
 */
export function observe(
  router: Router<Binding>,
  isTrusted: IsTrusted,
  trustTrace: boolean,
  { tracer, metrics, logger }: Telemetry,
  audit: Pick<AuditLog, "record"> | undefined,
): RequestHandler {
  const requests = metrics.counter("http_requests_total", "HTTP requests answered.", ["method", "code"]);
  const durations = metrics.histogram(
    "http_server_request_duration_seconds",
    "Time from a request's head to the end of its response.",
    ["method", "route", "code"],
  );
  const active = metrics.gauge("http_server_active_requests", "HTTP requests being answered.", ["method"]);

  return (request, response, next) => {
    const startedAt = performance.now();
    const method = methodLabel(request.method);
    const exchange = begin(request, response, router, isTrusted);
    const route = routeOf(request, exchange);
    const attributes = () => ({
      "http.request.method": method,
      "http.route": route,
      "url.path": request.path,
      "url.scheme": request.protocol,
      "client.address": exchange.client,
      "user_agent.original": request.headers["user-agent"],
    });

    const answer = async (span: Span): Promise<void> => {
      exchange.span = span;
      const closed = new Promise<void>((resolve) => response.once("close", resolve));
      active.inc({ method });
      next();
      await closed;
      exchange.isClosed = true;
      exchange.onClosed?.();
      active.dec({ method });
      // A client that disconnected before the end got no status.
      const status = response.writableFinished ? response.statusCode : 499;
      const code = String(status);
      const seconds = (performance.now() - startedAt) / 1000;
      requests.inc({ method, code });
      durations.observe({ method, route, code }, seconds);
      span.setAttribute("http.response.status_code", status);
      if (status >= 500) span.fail(exchange.failure ?? new Error(`status ${status}`));
      const decision = audit && decisionOf(exchange, method, route, request.path);
      if (decision !== undefined) audit?.record(decision);
      logger.info("request", {
        method,
        route,
        path: request.path.slice(0, 256),
        status,
        durationMs: Math.round(seconds * 1e6) / 1e3,
        requestId: exchange.requestId,
        client: exchange.client,
        ...(exchange.code !== undefined && { code: exchange.code }),
        // The caller does not see this message of a server error.
        ...(exchange.failure instanceof Error && status >= 500 && { error: exchange.failure.message }),
      });
    };
    const caller = { traceparent: request.headers["traceparent"] };
    const isBelieved = trustTrace && isTrusted(plainAddress(request.socket.remoteAddress ?? "") ?? "", 0);
    void tracer.span(
      `${method} ${route}`,
      { kind: "server", ...(isBelieved ? { parent: caller } : { stranger: caller }), attributes },
      answer,
    );
  };
}

function begin(request: Request, response: Response, router: Router<Binding>, isTrusted: IsTrusted): Exchange {
  let found: Match<Binding> | undefined;
  const match = (): Match<Binding> => (found ??= router.match(request.method, request.path));
  const { client, key } = clientOf(request, isTrusted);
  const exchange: Exchange = {
    requestId: requestIdOf(request.get("x-request-id")),
    client,
    clientKey: key,
    match,
  };
  setExchange(response, exchange);
  response.setHeader("X-Request-Id", exchange.requestId);
  return exchange;
}

interface Client {
  readonly client: string | undefined;
  readonly key: string;
}

/** The clients of connections whose requests name no other one. */
const peers = new WeakMap<Socket, Client>();

function clientOf({ socket, headers }: Request, isTrusted: IsTrusted): Client {
  const forwardedFor = headers["x-forwarded-for"];
  const known = forwardedFor === undefined ? peers.get(socket) : undefined;
  if (known !== undefined) return known;
  const client = clientAddress(socket.remoteAddress, forwardedFor?.toString(), isTrusted);
  const found = { client, key: clientKey(client) };
  if (forwardedFor === undefined) peers.set(socket, found);
  return found;
}

/** Returns the template, never the path: labels and span names must come from a small set. */
function routeOf(request: Request, exchange: Exchange): string {
  try {
    const match = exchange.match();
    if (match.kind === "found") return match.template.text;
  } catch {
    // The path cannot be decoded; the handler reports that.
  }
  return pages.has(request.path) ? request.path : "other";
}
