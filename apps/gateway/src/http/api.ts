import { codeOf, ServiceError } from "@plumbline/errors";
import { Admission, isAtDeadline } from "@plumbline/rpc";
import type { Metrics } from "@plumbline/telemetry";
import { type Answer, answerOf, type Binding, bindRequest } from "@plumbline/transcoding";
import type { Request, RequestHandler, Response } from "express";
import type { Upstream } from "../upstream.ts";
import { hasBody, noBody, readBody } from "./body.ts";
import { clientGone } from "./client-gone.ts";
import { exchangeOf } from "./exchange.ts";
import { metadataOf } from "./metadata.ts";
import { timeoutOf } from "./timeout.ts";

/** The bounds of one request, and of all at once. */
export interface Limits {
  readonly bodyBytes: number;
  readonly timeoutMs: number;
  readonly maxTimeoutMs: number;
  /** Unary requests at once. */
  readonly concurrent: number;
  /** Unary requests are shed below that too, while they are slow or cannot be answered in time. False when not given. */
  readonly adaptive?: boolean | undefined;
  /** Streams at once. */
  readonly streams: number;
}

export interface ApiOptions {
  readonly upstreamOf: (binding: Binding) => Upstream;
  readonly limits: () => Limits;
  readonly metrics: Pick<Metrics, "counter" | "gauge">;
  /** Serves a binding that streams, once the request has become a message. */
  readonly stream: (call: StreamCall, request: Request, response: Response) => Promise<void>;
}

export interface StreamCall {
  readonly binding: Binding;
  readonly upstream: Upstream;
  readonly message: Uint8Array;
  readonly metadata: Readonly<Record<string, string>>;
}

/** Every RPC that has an HTTP form, as one handler: match, bind, call, answer. Failures are thrown. */
export function api({ upstreamOf, limits, metrics, stream }: ApiOptions): RequestHandler {
  const adaptive = () => limits().adaptive ?? false;
  const calls = new Admission({ max: () => limits().concurrent, adaptive, refusal: refusalOf("requests"), metrics });
  const streams = new Admission({ max: () => limits().streams, adaptive, refusal: refusalOf("streams"), metrics });

  return async (request, response) => {
    const exchange = exchangeOf(response);
    const match = exchange.match();
    if (match.kind === "none")
      throw new ServiceError("not_found", "There is nothing at this path.", { reason: "ROUTE_NOT_FOUND" });
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
      // Awaited, since the place in the bound is given back when this function ends.
      if (binding.streams) return await stream({ binding, upstream, message, metadata }, request, response);

      const call = { signal: clientGone(request), timeoutMs: timeout, metadata };
      const deadline = Date.now() + timeout;
      try {
        // Around the call alone: how long a client takes to send its body is no sign of overload.
        const answer = await calls.run(method, timeout, () => upstream.unary(binding.rpcPath, message, call));
        sendAnswer(response, answerOf(binding, answer.message));
      } catch (error) {
        // Whoever said so first, we or the service: not one that the service gave less.
        throw codeOf(error) === "deadline_exceeded" && isAtDeadline(deadline) ? tooLate(timeout, error) : error;
      }
    } finally {
      admission.leave();
    }
  };
}

function tooLate(timeoutMs: number, cause: unknown): ServiceError {
  return new ServiceError("deadline_exceeded", `The service did not answer within ${timeoutMs} ms.`, { cause });
}

function refusalOf(what: string): () => ServiceError {
  return () =>
    new ServiceError("unavailable", `Too many ${what} at once.`, { reason: "OVERLOADED", retryAfterMs: 1000 });
}

function refuseMethod(request: Request, response: Response, allow: readonly string[]): void {
  const list = allow.join(", ");
  response.setHeader("Allow", list);
  if (request.method === "OPTIONS") return void response.status(204).end();
  throw new ServiceError("unimplemented", `This path takes ${list}.`, { reason: "METHOD_NOT_ALLOWED" });
}

function queryOf(url: string): string {
  const start = url.indexOf("?");
  return start < 0 ? "" : url.slice(start + 1);
}

/** Text is sent as text: node:http then writes it together with the head. */
function sendAnswer(response: Response, { contentType, body }: Answer): void {
  response.statusCode = 200;
  response.setHeader("Content-Type", contentType);
  response.setHeader("Content-Length", Buffer.byteLength(body));
  response.end(body);
}
