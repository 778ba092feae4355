import type { Span, Telemetry } from "@plumbline/telemetry";
import type { Binding, Match, Router } from "@plumbline/transcoding";
import type { Request, RequestHandler, Response } from "express";
import { type Exchange, setExchange } from "./exchange.ts";
import { requestIdOf } from "./request-id.ts";

const methods = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]);

/** The pages of our own, which have no RPC behind them. */
const pages = new Set(["/", "/openapi.json", "/docs", "/docs/docs.js", "/docs/docs.css"]);

/**
 * The outermost layer: gives the request its id, opens its span, and when the answer has been sent counts it and writes
 * the one line of the access log. Labels are from closed sets: known methods, templates, statuses.
 */
export function observe(router: Router<Binding>, { tracer, metrics, logger }: Telemetry): RequestHandler {
  const requests = metrics.counter("http_requests_total", "HTTP requests answered.", ["method", "code"]);
  const durations = metrics.histogram(
    "http_server_request_duration_seconds",
    "Time from a request's head to the end of its answer.",
    ["method", "route", "code"],
  );
  const active = metrics.gauge("http_server_active_requests", "HTTP requests being answered.", ["method"]);

  return (request, response, next) => {
    const startedAt = performance.now();
    const method = methods.has(request.method) ? request.method : "OTHER";
    const exchange = begin(request, response, router);
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
      active.dec({ method });
      // A client that left before the end got no status, whatever was to be sent.
      const status = response.writableFinished ? response.statusCode : 499;
      const code = String(status);
      const seconds = (performance.now() - startedAt) / 1000;
      requests.inc({ method, code });
      durations.observe({ method, route, code }, seconds);
      span.setAttribute("http.response.status_code", status);
      if (status >= 500) span.fail(exchange.failure ?? new Error(`status ${status}`));
      logger.info("request", {
        method,
        route,
        path: request.path.slice(0, 256),
        status,
        durationMs: Math.round(seconds * 1e6) / 1e3,
        requestId: exchange.requestId,
        client: exchange.client,
        ...(exchange.code !== undefined && { code: exchange.code }),
        // What the caller was not told, where it was not the caller's mistake.
        ...(exchange.failure instanceof Error && status >= 500 && { error: exchange.failure.message }),
      });
    };
    void tracer.span(`${method} ${route}`, { kind: "server", parent: request.headers, attributes }, answer);
  };
}

function begin(request: Request, response: Response, router: Router<Binding>): Exchange {
  let found: Match<Binding> | undefined;
  const match = (): Match<Binding> => (found ??= router.match(request.method, request.path));
  const exchange: Exchange = {
    requestId: requestIdOf(request.get("x-request-id")),
    client: clientOf(request),
    match,
  };
  setExchange(response, exchange);
  response.setHeader("X-Request-Id", exchange.requestId);
  return exchange;
}

function clientOf(request: Request): string | undefined {
  // Without a proxy that is trusted there is nothing to work out.
  return request.app.get("trust proxy") === false ? request.socket.remoteAddress : request.ip;
}

/** The template, never the path: a label and a span's name must be one of few. */
function routeOf(request: Request, exchange: Exchange): string {
  try {
    const match = exchange.match();
    if (match.kind === "found") return match.template.text;
  } catch {
    // A path that does not decode leads nowhere; the handler says so.
  }
  return pages.has(request.path) ? request.path : "other";
}
