import { codeOf, ServiceError } from "@plumbline/errors";
import { Admission, isAtDeadline } from "@plumbline/rpc";
import type { Metrics } from "@plumbline/telemetry";
import { type Answer, answerOf, type Binding, bindRequest } from "@plumbline/transcoding";
import type { Request, RequestHandler, Response } from "express";
import type { Upstream } from "../upstream.ts";
import { hasBody, noBody, readBody } from "./body.ts";
import { clientGone } from "./client-gone.ts";
import { exchangeOf } from "./exchange.ts";
import { metadataOf, timeoutOf } from "./headers.ts";

/** The bounds of one request, and of all at once. */
export interface Limits {
  readonly bodyBytes: number;
  readonly timeoutMs: number;
  readonly maxTimeoutMs: number;
  /** Unary requests at once. */
  readonly concurrent: number;
  /**
   * Also refuses unary requests below that limit while they are slow or would miss their deadline.
   * False if absent.
   */
  readonly adaptive?: boolean | undefined;
  /** Streams at once. */
  readonly streams: number;
}

export interface ApiOptions {
  readonly upstreamOf: (binding: Binding) => Upstream;
  readonly limits: () => Limits;
  readonly metrics: Pick<Metrics, "counter" | "gauge">;
  /** Serves a binding that streams, once its request was bound. */
  readonly stream: (call: StreamCall, request: Request, response: Response) => Promise<void>;
}

export interface StreamCall {
  readonly binding: Binding;
  readonly upstream: Upstream;
  readonly message: Uint8Array;
  readonly metadata: Readonly<Record<string, string>>;
}

/** Serves every RPC that has an HTTP form: match, bind, call, answer. Failures are thrown. */
export function api({ upstreamOf, limits, metrics, stream }: ApiOptions): RequestHandler {
  const adaptive = () => limits().adaptive ?? false;
  const calls = new Admission({ max: () => limits().concurrent, adaptive, refusal: refusalOf("requests"), metrics });
  const streams = new Admission({ max: () => limits().streams, adaptive, refusal: refusalOf("streams"), metrics });

  return async (request, response) => {
    const exchange = exchangeOf(response);
    const match = exchange.match();
    if (match.kind === "none")
      throw new ServiceError("not_found", "No route matches this path. GET /openapi.json lists the routes.", {
        reason: "ROUTE_NOT_FOUND",
      });
    if (match.kind === "method") return refuseMethod(request, response, match.allow);

    const binding = match.value;
    if (binding.streams && request.method === "HEAD") return refuseMethod(request, response, ["GET"]);
    const admission = binding.streams ? streams : calls;
    const method = binding.rpcPath.slice(1);
    admission.enter(method);
    try {
      const { bodyBytes, timeoutMs, maxTimeoutMs } = limits();
      const metadata = metadataOf(request.headers, exchange.requestId);
      const timeout = timeoutOf(request.get("grpc-timeout"), timeoutMs, maxTimeoutMs);
      const body = hasBody(request) ? await readBody(request, bodyBytes) : noBody;
      const lastEventId = request.get("last-event-id");
      const parts = { params: match.params, query: queryOf(request.url), body, lastEventId };
      const message = bindRequest(binding, parts);
      const upstream = upstreamOf(binding);
      // Awaited, since the slot is released when this function ends.
      if (binding.streams) return await stream({ binding, upstream, message, metadata }, request, response);

      const call = { signal: clientGone(request), timeoutMs: timeout, metadata };
      const deadline = Date.now() + timeout;
      try {
        // Measures the call alone: a client that is slow to send its body is no sign of overload.
        const answer = await calls.run(method, timeout, () => upstream.unary(binding.rpcPath, message, call));
        sendAnswer(response, answerOf(binding, answer.message));
      } catch (error) {
        // Ours only if our deadline has passed: the service may have set a shorter one of its own.
        throw codeOf(error) === "deadline_exceeded" && isAtDeadline(deadline) ? tooLate(timeout, error) : error;
      }
    } finally {
      admission.leave();
    }
  };
}

function tooLate(timeoutMs: number, cause: unknown): ServiceError {
  return new ServiceError(
    "deadline_exceeded",
    `The service did not answer within ${timeoutMs} ms. Grpc-Timeout sets another time.`,
    { cause },
  );
}

function refusalOf(what: string): () => ServiceError {
  return () =>
    new ServiceError(
      "unavailable",
      `The gateway has too many ${what} in flight. Try again after the time in Retry-After.`,
      { reason: "OVERLOADED", retryAfterMs: 1000 },
    );
}

function refuseMethod(request: Request, response: Response, allow: readonly string[]): void {
  const list = allow.join(", ");
  response.setHeader("Allow", list);
  if (request.method === "OPTIONS") return void response.status(204).end();
  throw new ServiceError("unimplemented", `This path does not support ${request.method}. Use ${list}.`, {
    reason: "METHOD_NOT_ALLOWED",
  });
}

function queryOf(url: string): string {
  const start = url.indexOf("?");
  return start < 0 ? "" : url.slice(start + 1);
}

/** Sends an answer. Text is passed as text: node:http then writes it together with the head. */
function sendAnswer(response: Response, { contentType, body }: Answer): void {
  response.statusCode = 200;
  response.setHeader("Content-Type", contentType);
  response.setHeader("Content-Length", Buffer.byteLength(body));
  response.end(body);
}
