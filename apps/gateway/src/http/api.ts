import type { Principal } from "@plumbline/auth";
import { steadyNow } from "@plumbline/concurrency";
import { codeOf, ServiceError } from "@plumbline/errors";
import { Admission, isAtDeadline, type MetadataInit } from "@plumbline/rpc";
import type { Metrics } from "@plumbline/telemetry";
import { answerOf, type Binding, bindRequest, maxJsonBytes } from "@plumbline/transcoding";
import type { Request, RequestHandler, Response } from "express";
import { type Guard, isPrincipalKey, principalKey } from "../auth/guard.ts";
import type { Upstream } from "../upstream.ts";
import { Answers } from "./answers.ts";
import { Bodies, noBody } from "./body.ts";
import { clientGone } from "./client-gone.ts";
import { hasBody } from "./content.ts";
import { exchangeOf } from "./exchange.ts";
import { HangUps } from "./hang-ups.ts";
import { metadataOf, timeoutOf } from "./headers.ts";
import { refuseCrossSite } from "./strict.ts";

/** The bounds of one request, and of all at once. */
export interface Limits {
  readonly bodyBytes: number;
  readonly timeoutMs: number;
  readonly maxTimeoutMs: number;
  /** Unary requests at once. */
  readonly concurrent: number;
  /** Unary requests of one client at once; 250 if absent. */
  readonly concurrentPerClient?: number | undefined;
  /**
   * Also refuses unary requests below that limit while they are slow or would miss their deadline.
   * False if absent.
   */
  readonly adaptive?: boolean | undefined;
  /** Streams at once. */
  readonly streams: number;
  /** Streams of one client at once; 100 if absent. */
  readonly streamsPerClient?: number | undefined;
  /** Streams of one caller at once; 20 if absent. */
  readonly streamsPerPrincipal?: number | undefined;
  /**
   * Requests per second that one client may give up while they are answered, and the number at
   * once; 20 and 200 if absent.
   */
  readonly hangUpsPerSecond?: number | undefined;
  readonly hangUpsBurst?: number | undefined;
  /** Bodies of one client that are not complete; 256 if absent. */
  readonly bodiesPerClient?: number | undefined;
  /** Bytes of bodies of one client, and of all clients; 8 MiB and 32 MiB if absent. */
  readonly bodyBytesPerClient?: number | undefined;
  readonly bodyBytesInAll?: number | undefined;
  /** The least bytes per second of a body that takes longer than 5 s; 1,024 if absent. */
  readonly bodyRate?: number | undefined;
  /** Bytes of unread answers of one client, and of all clients; 8 MiB and 32 MiB if absent. */
  readonly unreadBytesPerClient?: number | undefined;
  readonly unreadBytesInAll?: number | undefined;
}

/** The time after which the least rate of a body counts. */
const bodyGraceMs = 5_000;
const mebibyte = 1024 * 1024;

export interface ApiOptions {
  readonly upstreamOf: (binding: Binding) => Upstream;
  /** Admits callers by the access rules; everybody if absent. */
  readonly admit?: Guard | undefined;
  /** Throws or rejects for a caller that sends requests too fast. */
  readonly limitPrincipal: (key: string, response: Response) => void | Promise<void>;
  readonly limits: () => Limits;
  /** The longest that a client may read nothing of an answer. */
  readonly stallMs: () => number;
  readonly metrics: Pick<Metrics, "counter" | "gauge">;
  /** Serves a binding that streams, once its request was bound. */
  readonly stream: (call: StreamCall, request: Request, response: Response) => Promise<void>;
}

export interface StreamCall {
  readonly binding: Binding;
  readonly upstream: Upstream;
  readonly message: Uint8Array;
  readonly metadata: MetadataInit;
  /** The caller, if one had to say who it is. The stream ends with its token. */
  readonly principal: Principal | undefined;
}

/**
 * Serves every RPC that has an HTTP form: match, admit, limit, body, bind, call, answer. Failures
 * are thrown.
 */
export function api({
  upstreamOf,
  admit,
  limitPrincipal,
  limits,
  stallMs,
  metrics,
  stream,
}: ApiOptions): RequestHandler {
  const adaptive = () => limits().adaptive ?? false;
  const calls = new Admission({
    max: () => limits().concurrent,
    maxPerShare: () => limits().concurrentPerClient ?? 250,
    refusal: refusalOf("requests"),
    shareRefusal: tooManyRequests,
    adaptive,
    metrics,
  });
  const streams = new Admission({
    max: () => limits().streams,
    maxPerShare: (key) =>
      isPrincipalKey(key) ? (limits().streamsPerPrincipal ?? 20) : (limits().streamsPerClient ?? 100),
    refusal: refusalOf("streams"),
    shareRefusal: tooManyStreams,
    adaptive,
    metrics,
  });
  const hangUps = new HangUps(() => {
    const { hangUpsPerSecond: perSecond = 20, hangUpsBurst: burst = 200 } = limits();
    return { perSecond, burst };
  });
  const bodies = new Bodies(() => bodyLimitsOf(limits()));
  const answers = new Answers(() => answerLimitsOf(limits(), stallMs()));
  const largest = new WeakMap<Binding, number>();

  /** Returns the most bytes that a body of this route may have. */
  const maxBytes = (binding: Binding): number => {
    let bound = largest.get(binding);
    if (bound === undefined) {
      bound = maxBodyBytes(binding);
      largest.set(binding, bound);
    }
    return Math.min(bound, limits().bodyBytes);
  };

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
    refuseCrossSite(request);
    const admitted = admit?.(binding, request, response);
    const principal = admitted instanceof Promise ? await admitted : admitted;
    // From here on the shares are those of the caller: others behind its address keep theirs.
    const client = principal === undefined ? exchange.clientKey : principalKey(principal);
    if (principal !== undefined) {
      const limited = limitPrincipal(client, response);
      if (limited !== undefined) await limited;
    }
    const { timeoutMs, maxTimeoutMs } = limits();
    const metadata = metadataOf(request.headers, exchange.requestId, client, principal);
    const timeout = timeoutOf(request.get("grpc-timeout"), timeoutMs, maxTimeoutMs);
    hangUps.check(client);
    answers.check(client);
    const body = hasBody(request) ? await bodies.read(request, response, maxBytes(binding), client) : noBody;

    if (exchange.isClosed === true) {
      body.release?.();
      throw new DOMException("the client disconnected", "AbortError");
    }
    // Entered once the body is complete: a client that is slow to send it takes no place of others.
    const admission = binding.streams ? streams : calls;
    const method = binding.rpcPath.slice(1);
    if (body.release !== undefined) exchange.onClosed = body.release;
    admission.enter(method, client);
    // Left once the answer has been read as far as this process knows, or its connection is closed.
    let isCalling = false;
    exchange.onClosed = () => {
      admission.leave(client);
      if (isCalling) hangUps.charge(client);
      body.release?.();
    };

    const lastEventId = request.get("last-event-id");
    const parts = { params: match.params, query: queryOf(request.url), body: body.bytes, lastEventId };
    const message = bindRequest(binding, parts);
    const upstream = upstreamOf(binding);
    const call = { signal: clientGone(request), timeoutMs: timeout, metadata };
    const deadline = steadyNow() + timeout;
    isCalling = true;
    try {
      if (binding.streams) return await stream({ binding, upstream, message, metadata, principal }, request, response);
      // Measures the call alone: a client that is slow to send its body is no sign of overload.
      const answer = await calls.run(method, timeout, () => upstream.unary(binding.rpcPath, message, call));
      answers.send(response, client, answerOf(binding, answer.message));
    } catch (error) {
      // Ours only if our deadline has passed: the service may have set a shorter one of its own.
      throw codeOf(error) === "deadline_exceeded" && isAtDeadline(deadline) ? tooLate(timeout, error) : error;
    } finally {
      isCalling = response.destroyed;
    }
  };
}

function maxBodyBytes({ body, method }: Binding): number {
  // A body that is not wanted is read to see that it is empty.
  if (body === "none") return Number.POSITIVE_INFINITY;
  return maxJsonBytes(body === "all" ? method.input : body);
}

function bodyLimitsOf(limits: Limits) {
  return {
    perClient: limits.bodiesPerClient ?? 256,
    bytesPerClient: limits.bodyBytesPerClient ?? 8 * mebibyte,
    bytesInAll: limits.bodyBytesInAll ?? 32 * mebibyte,
    leastRate: limits.bodyRate ?? 1_024,
    graceMs: bodyGraceMs,
  };
}

function answerLimitsOf(limits: Limits, stallMs: number) {
  return {
    bytesPerClient: limits.unreadBytesPerClient ?? 8 * mebibyte,
    bytesInAll: limits.unreadBytesInAll ?? 32 * mebibyte,
    stallMs,
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

function tooManyRequests(): ServiceError {
  return new ServiceError(
    "resource_exhausted",
    "This client has too many requests in flight. Try again after the time in Retry-After.",
    { reason: "OVERLOADED", retryAfterMs: 1000 },
  );
}

function tooManyStreams(): ServiceError {
  return new ServiceError(
    "resource_exhausted",
    "This client has too many streams open. Close some, then try again after the time in Retry-After.",
    { reason: "OVERLOADED", retryAfterMs: 5000 },
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
