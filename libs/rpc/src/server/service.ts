import { ServiceError } from "@plumbline/errors";
import type { Call, ServerCall } from "../call.ts";
import {
  type ByKind,
  type CallKind,
  kindOf,
  type MethodDefinition,
  pathOf,
  type RequestOf,
  type ResponseOf,
  type ServiceDefinition,
} from "../definition.ts";
import type { Requests } from "../transport.ts";

/**
 * The handlers of a service, by method. Streams are async iterables. An exception ends the call
 * with the error's code.
 */
export type Handlers<D extends ServiceDefinition> = {
  readonly [K in keyof D["methods"]]: Handler<D["methods"][K]>;
};

type Handler<M extends MethodDefinition> = ByKind<
  M,
  (request: RequestOf<M>, call: Call) => Promise<ResponseOf<M>>,
  (requests: AsyncIterable<RequestOf<M>>, call: Call) => Promise<ResponseOf<M>>,
  (request: RequestOf<M>, call: Call) => AsyncIterable<ResponseOf<M>>,
  (requests: AsyncIterable<RequestOf<M>>, call: Call) => AsyncIterable<ResponseOf<M>>
>;

/** A service without its types: `serve` takes a list of these. */
export interface ServiceImplementation {
  /** "orders.v1.OrdersService" */
  readonly name: string;
  readonly methods: readonly ServiceMethod[];
}

export interface ServiceMethod {
  readonly path: string;
  readonly kind: CallKind;
  handle(call: ServerCall): Promise<void>;
}

type AnyHandler = (request: unknown, call: Call) => unknown;

/** Binds handlers to a definition. The compiler checks that each method has one. */
export function service<D extends ServiceDefinition>(definition: D, handlers: Handlers<D>): ServiceImplementation {
  const methods = Object.entries(definition.methods).map(([name, method]): ServiceMethod => {
    const path = pathOf(definition, method);
    const handler = (handlers as Readonly<Record<string, AnyHandler>>)[name];
    if (handler === undefined) throw new TypeError(`${path} has no handler`);
    return { path, kind: kindOf(method), handle: handle(method, handler.bind(handlers)) };
  });
  return { name: definition.fullName, methods };
}

function handle(method: MethodDefinition, handler: AnyHandler): (call: ServerCall) => Promise<void> {
  return async (call) => {
    const request = method.requestStream
      ? decoded(method, call.requests)
      : decode(method, takeRequest(call.requests) ?? (await onlyOf(call.requests)));
    const response = handler(request, call);
    const { responseType } = method;
    if (!method.responseStream) return call.send(responseType.encode(await response).finish());
    for await (const message of response as AsyncIterable<unknown>) {
      await call.send(responseType.encode(message).finish());
    }
  };
}

async function* decoded(method: MethodDefinition, requests: Requests): AsyncIterable<unknown> {
  for await (const bytes of requests) yield decode(method, bytes);
}

function decode(method: MethodDefinition, bytes: Uint8Array): unknown {
  try {
    return method.requestType.decode(bytes);
  } catch (cause) {
    // The caller's fault: not `internal`, which would page the operator.
    throw new ServiceError("invalid_argument", "the request cannot be decoded", { cause });
  }
}

/**
 * Returns the request of a unary call, which the transport has checked to be one message, and takes
 * it out of the list. It may be a view of a much larger read of the socket, which would stay in
 * memory for as long as the call runs.
 */
function takeRequest(requests: Requests): Uint8Array | undefined {
  if (!Array.isArray(requests)) return undefined;
  const list = requests as [Uint8Array];
  const [request] = list;
  list[0] = taken;
  return request;
}

const taken = new Uint8Array();

async function onlyOf(requests: Requests): Promise<Uint8Array> {
  const found: Uint8Array[] = [];
  for await (const request of requests) {
    if (found.push(request) > 1) break;
  }
  const [request] = found;
  // gRPC's own words for a wrong number of messages: the two sides disagree on the method's shape.
  if (request === undefined || found.length > 1) {
    throw new ServiceError("unimplemented", "this method takes exactly one request");
  }
  return request;
}
