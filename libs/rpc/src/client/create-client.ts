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
  /** The deadline of calls that set none; the channel's when not given. */
  readonly timeoutMs?: number | undefined;
  readonly retry?: ClientRetry<D> | undefined;
}

/**
 * Which unary methods are called again after `unavailable`, as gRPC A6 says: with full jitter or when the server says, inside the
 * deadline, while the channel's throttle allows it. Name only those that do the same when done twice: a call that failed may
 * have reached the handler.
 */
export interface ClientRetry<D extends ServiceDefinition> {
  readonly methods: readonly (keyof D["methods"])[];
  /** In all, the first included; 3 when not given, 5 at most. */
  readonly attempts?: number | undefined;
  /** The longest wait after the first attempt, 50 ms when not given; it doubles with each. */
  readonly baseMs?: number | undefined;
  /** The longest wait of all, 1 s when not given. */
  readonly maxMs?: number | undefined;
}

/** Adds a definition's types to a channel. Costs nothing to make; many clients can share one channel. */
export function createClient<D extends ServiceDefinition>(
  definition: D,
  channel: Channel,
  options: ClientOptions<D> = {},
): Client<D> {
  const again = new Set<PropertyKey>(options.retry?.methods);
  const methods = Object.entries(definition.methods).map(([name, method]) => {
    const path = pathOf(definition, method);
    const call = callerOf(path, method, channel, options.timeoutMs);
    if (!again.has(name)) return [name, call];
    if (kindOf(method) !== "unary") throw new TypeError(`${path} is a stream: it cannot be retried`);
    return [name, retried(call as UnaryCaller, path, channel.retries, options.timeoutMs, options.retry ?? {})];
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
      answer(method, retries, () => channel.unary(path, requestType.encode(request).finish(), within(options))),
    client_stream: (requests, options) =>
      answer(method, retries, () => channel.clientStream(path, encoded(method, requests), within(options))),
    server_stream: (request, options) =>
      decoded(method, retries, channel.serverStream(path, requestType.encode(request).finish(), within(options))),
    bidi_stream: (requests, options) =>
      decoded(method, retries, channel.bidiStream(path, encoded(method, requests), within(options))),
  };
  return callers[kindOf(method)];
}

function retried(
  call: UnaryCaller,
  path: string,
  throttle: RetryThrottle,
  timeoutMs: number | undefined,
  { attempts = 3, baseMs = 50, maxMs = 1_000 }: Omit<ClientRetry<ServiceDefinition>, "methods">,
): UnaryCaller {
  if (!Number.isSafeInteger(attempts) || attempts < 1)
    throw new RangeError("attempts must be a whole number above zero");
  const how = { attempts, baseMs, maxMs, timeoutMs, method: methodName(path), throttle };
  return (request, options = {}) => retrying((attempt) => call(request, attempt), options, how);
}

/** The one answer of a call, and what its end means for retries. */
async function answer(
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
