/** The codec of a message, as ts-proto generates it. */
export interface MessageType<T = unknown> {
  // Methods rather than function properties, so that a codec of any message is assignable to
  // `MessageType<unknown>`.
  encode(message: T): { finish(): Uint8Array };
  decode(bytes: Uint8Array): T;
}

/**
 * A method as ts-proto's `generic-definitions` describe it: its name, its shape and the codecs of
 * its messages.
 */
export interface MethodDefinition<Request = unknown, Response = unknown> {
  /** "GetOrder" */
  readonly name: string;
  readonly requestType: MessageType<Request>;
  readonly requestStream: boolean;
  readonly responseType: MessageType<Response>;
  readonly responseStream: boolean;
}

/** A service and its methods, by their names in TypeScript. */
export interface ServiceDefinition {
  /** "orders.v1.OrdersService" */
  readonly fullName: string;
  readonly methods: Readonly<Record<string, MethodDefinition>>;
}

export type CallKind = "unary" | "client_stream" | "server_stream" | "bidi_stream";

export type RequestOf<M> = M extends { requestType: { decode(bytes: never): infer Request } } ? Request : never;
export type ResponseOf<M> = M extends { responseType: { decode(bytes: never): infer Response } } ? Response : never;

/**
 * A choice among four types by a method's shape: for handlers on one side and client methods on the
 * other.
 */
export type ByKind<
  M extends MethodDefinition,
  Unary,
  ClientStream,
  ServerStream,
  Bidi,
> = M["requestStream"] extends true
  ? M["responseStream"] extends true
    ? Bidi
    : ClientStream
  : M["responseStream"] extends true
    ? ServerStream
    : Unary;

/** Returns the path that a method is called by: "/orders.v1.OrdersService/GetOrder". */
export function pathOf(service: ServiceDefinition, method: MethodDefinition): string {
  return `/${service.fullName}/${method.name}`;
}

export function kindOf(method: MethodDefinition): CallKind {
  if (method.requestStream) return method.responseStream ? "bidi_stream" : "client_stream";
  return method.responseStream ? "server_stream" : "unary";
}

const methodNames = new Map<string, string>();

/**
 * Returns "orders.v1.OrdersService/GetOrder": the path without its slash, as OpenTelemetry writes
 * `rpc.method`. It is the same string object each time, so that a map lookup need not hash it
 * again. At most 1,000 are kept.
 */
export function methodName(path: string): string {
  let name = methodNames.get(path);
  if (name === undefined) {
    name = path.slice(1);
    if (methodNames.size < 1_000) methodNames.set(path, name);
  }
  return name;
}
