import { deadline, retry } from "@plumbline/concurrency";
import { codeOf, ServiceError } from "@plumbline/errors";
import type { CallOptions, Channel } from "./channel.ts";
import {
  type ByKind,
  type CallKind,
  kindOf,
  type MethodDefinition,
  type RequestOf,
  type ResponseOf,
  type ServiceDefinition,
} from "./definition.ts";

/** A service's methods as functions. Streams take and return async iterables. */
export type Client<D extends ServiceDefinition> = {
  readonly [K in keyof D]: ByKind<
    D[K],
    (request: RequestOf<D[K]>, options?: CallOptions) => Promise<ResponseOf<D[K]>>,
    (requests: AsyncIterable<RequestOf<D[K]>>, options?: CallOptions) => Promise<ResponseOf<D[K]>>,
    (request: RequestOf<D[K]>, options?: CallOptions) => AsyncIterable<ResponseOf<D[K]>>,
    (requests: AsyncIterable<RequestOf<D[K]>>, options?: CallOptions) => AsyncIterable<ResponseOf<D[K]>>
  >;
};

export interface ClientOptions<D extends ServiceDefinition> {
  /** The deadline of calls that set none; the channel's when not given. */
  readonly timeoutMs?: number | undefined;
  readonly retry?: ClientRetry<D> | undefined;
}

/**
 * Which unary methods are called again after `unavailable`, with full jitter and inside the deadline. Name only those
 * that do the same when done twice: a call that failed may have reached the handler.
 */
export interface ClientRetry<D extends ServiceDefinition> {
  readonly methods: readonly (keyof D)[];
  /** In all, the first included; 3 when not given. */
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
  const methods = Object.entries<MethodDefinition>(definition).map(([name, method]) => {
    const call = callerOf(method, channel, options.timeoutMs);
    if (!again.has(name)) return [name, call];
    if (kindOf(method) !== "unary") throw new TypeError(`${method.path} is a stream: it cannot be retried`);
    return [name, retried(call as UnaryCaller, options.retry, options.timeoutMs)];
  });
  return Object.fromEntries(methods) as Client<D>;
}

type Attempts = Omit<ClientRetry<ServiceDefinition>, "methods">;
type UnaryCaller = (request: unknown, options?: CallOptions) => Promise<unknown>;
type Caller = (request: unknown, options?: CallOptions) => Promise<unknown> | AsyncIterable<unknown>;

function callerOf(method: MethodDefinition, channel: Channel, timeoutMs: number | undefined): Caller {
  const { path } = method;
  const within = (options: CallOptions = {}): CallOptions =>
    options.timeoutMs === undefined ? { ...options, timeoutMs } : options;
  const callers: Readonly<Record<CallKind, Caller>> = {
    unary: async (request, options) =>
      decode(method, (await channel.unary(path, method.requestSerialize(request), within(options))).message),
    client_stream: async (requests, options) =>
      decode(method, (await channel.clientStream(path, encoded(method, requests), within(options))).message),
    server_stream: (request, options) =>
      decoded(method, channel.serverStream(path, method.requestSerialize(request), within(options))),
    bidi_stream: (requests, options) =>
      decoded(method, channel.bidiStream(path, encoded(method, requests), within(options))),
  };
  return callers[kindOf(method)];
}

function retried(call: UnaryCaller, how: Partial<Attempts> = {}, timeoutMs?: number): UnaryCaller {
  const { attempts = 3, baseMs = 50, maxMs = 1_000 } = how;
  return async (request, options = {}) => {
    // One deadline over all attempts. Without one here each attempt has the channel's.
    using limit = deadline(options.timeoutMs ?? timeoutMs ?? Number.POSITIVE_INFINITY, options);
    const retryable = (error: unknown): boolean => codeOf(error) === "unavailable";
    return await retry(() => call(request, { ...options, signal: limit.signal }), {
      attempts,
      baseMs,
      maxMs,
      retryable,
      signal: limit.signal,
    });
  };
}

async function* encoded(method: MethodDefinition, requests: unknown): AsyncGenerator<Uint8Array> {
  for await (const request of requests as AsyncIterable<unknown>) yield method.requestSerialize(request);
}

async function* decoded(method: MethodDefinition, messages: AsyncIterable<Uint8Array>): AsyncGenerator {
  for await (const bytes of messages) yield decode(method, bytes);
}

function decode(method: MethodDefinition, bytes: Uint8Array): unknown {
  try {
    return method.responseDeserialize(bytes);
  } catch (cause) {
    throw new ServiceError("internal", "the response cannot be decoded", { cause });
  }
}
