import { ServiceError } from "@plumbline/errors";
import {
  type ByKind,
  type CallKind,
  kindOf,
  type MethodDefinition,
  methodName,
  pathOf,
  type RequestOf,
  type ResponseOf,
  type ServiceDefinition,
} from "../definition.ts";
import type { CallOptions, Channel, UnaryResponse } from "./channel.ts";
import type { RetryThrottle } from "./retry-throttle.ts";
import { isRetryable, retrying } from "./retrying.ts";

/** A service's methods as functions. Streams take and return async iterables. */
export type Client<D extends ServiceDefinition> = {
  readonly [K in keyof D["methods"]]: ClientMethod<D["methods"][K]>;
};

type ClientMethod<M extends MethodDefinition> = ByKind<
  M,
  (request: RequestOf<M>, options?: CallOptions) => Promise<ResponseOf<M>>,
  (requests: AsyncIterable<RequestOf<M>>, options?: CallOptions) => Promise<ResponseOf<M>>,
  (request: RequestOf<M>, options?: CallOptions) => AsyncIterable<ResponseOf<M>>,
  (requests: AsyncIterable<RequestOf<M>>, options?: CallOptions) => AsyncIterable<ResponseOf<M>>
>;

export interface ClientOptions<D extends ServiceDefinition> {
  /** The deadline of calls that set none; the channel's if not given. */
  readonly timeoutMs?: number | undefined;
  readonly retry?: ClientRetry<D> | undefined;
}

/**
 * The unary methods that are retried after `unavailable`, as gRPC A6 says: with full jitter or
 * after the server's pushback, within the deadline, while the channel has retry tokens. Name only
 * idempotent methods: a failed attempt may have reached the handler.
 */
export interface ClientRetry<D extends ServiceDefinition> {
  readonly methods: readonly (keyof D["methods"])[];
  /** The number of attempts, the first included; 3 if not given, at most 5. */
  readonly attempts?: number | undefined;
  /**
   * The longest backoff after the first attempt; 50 ms if not given. It doubles with each attempt.
   */
  readonly baseMs?: number | undefined;
  /** The longest backoff; 1 s if not given. */
  readonly maxMs?: number | undefined;
}

/**
 * Returns a typed client over a channel. It costs nothing to make, and clients can share a channel.
 */
export function createClient<D extends ServiceDefinition>(
  definition: D,
  channel: Channel,
  options: ClientOptions<D> = {},
): Client<D> {
  const retried = new Set<PropertyKey>(options.retry?.methods);
  const methods = Object.entries(definition.methods).map(([name, method]) => {
    const path = pathOf(definition, method);
    const call = callerOf(path, method, channel, options.timeoutMs);
    if (!retried.has(name)) return [name, call];
    if (kindOf(method) !== "unary") throw new TypeError(`${path} is a stream: it cannot be retried`);
    return [name, withRetries(call as UnaryCaller, path, channel.retries, options.timeoutMs, options.retry ?? {})];
  });
  return Object.fromEntries(methods) as Client<D>;
}

type UnaryCaller = (request: unknown, options?: CallOptions) => Promise<unknown>;
type Caller = (request: unknown, options?: CallOptions) => Promise<unknown> | AsyncIterable<unknown>;

function callerOf(path: string, method: MethodDefinition, channel: Channel, timeoutMs: number | undefined): Caller {
  const { retries } = channel;
  const { requestType } = method;
  const within = (options: CallOptions = {}): CallOptions =>
    options.timeoutMs === undefined ? { ...options, timeoutMs } : options;
  const callers: Readonly<Record<CallKind, Caller>> = {
    unary: (request, options) =>
      respond(method, retries, () => channel.unary(path, requestType.encode(request).finish(), within(options))),
    client_stream: (requests, options) =>
      respond(method, retries, () => channel.clientStream(path, encoded(method, requests), within(options))),
    server_stream: (request, options) =>
      decoded(method, retries, channel.serverStream(path, requestType.encode(request).finish(), within(options))),
    bidi_stream: (requests, options) =>
      decoded(method, retries, channel.bidiStream(path, encoded(method, requests), within(options))),
  };
  return callers[kindOf(method)];
}

function withRetries(
  call: UnaryCaller,
  path: string,
  throttle: RetryThrottle,
  timeoutMs: number | undefined,
  { attempts = 3, baseMs = 50, maxMs = 1_000 }: Omit<ClientRetry<ServiceDefinition>, "methods">,
): UnaryCaller {
  if (!Number.isSafeInteger(attempts) || attempts < 1)
    throw new RangeError("attempts must be a whole number above zero");
  const policy = { attempts, baseMs, maxMs, timeoutMs, method: methodName(path), throttle };
  return (request, options = {}) => retrying((attempt) => call(request, attempt), options, policy);
}

/** Returns the response of a unary call, and records the outcome for retry throttling. */
async function respond(
  method: MethodDefinition,
  retries: RetryThrottle,
  call: () => Promise<UnaryResponse>,
): Promise<unknown> {
  let response: UnaryResponse;
  try {
    response = await call();
  } catch (error) {
    if (isRetryable(error)) retries.failed();
    throw error;
  }
  retries.succeeded();
  return decode(method, response.message);
}

async function* encoded(method: MethodDefinition, requests: unknown): AsyncGenerator<Uint8Array> {
  for await (const request of requests as AsyncIterable<unknown>) {
    yield method.requestType.encode(request).finish();
  }
}

async function* decoded(
  method: MethodDefinition,
  retries: RetryThrottle,
  messages: AsyncIterable<Uint8Array>,
): AsyncGenerator {
  try {
    for await (const bytes of messages) yield decode(method, bytes);
  } catch (error) {
    if (isRetryable(error)) retries.failed();
    throw error;
  }
  retries.succeeded();
}

function decode(method: MethodDefinition, bytes: Uint8Array): unknown {
  try {
    return method.responseType.decode(bytes);
  } catch (cause) {
    throw new ServiceError("internal", "the response cannot be decoded", { cause });
  }
}
