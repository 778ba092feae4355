/** One method as ts-proto's grpc-js output describes it: its path, its shape, and how its messages become bytes. */
export interface MethodDefinition<Request = unknown, Response = unknown> {
  /** "/orders.v1.OrdersService/GetOrder" */
  readonly path: string;
  readonly requestStream: boolean;
  readonly responseStream: boolean;
  // Methods rather than function properties, so that a definition of any message stands where `unknown` is asked for.
  requestSerialize(value: Request): Uint8Array;
  requestDeserialize(bytes: Uint8Array): Request;
  responseSerialize(value: Response): Uint8Array;
  responseDeserialize(bytes: Uint8Array): Response;
}

/** A service: its methods by their names in TypeScript. */
export type ServiceDefinition = Readonly<Record<string, MethodDefinition>>;

export type CallKind = "unary" | "client_stream" | "server_stream" | "bidi_stream";

export type RequestOf<M> = M extends { requestDeserialize(bytes: never): infer Request } ? Request : never;
export type ResponseOf<M> = M extends { responseDeserialize(bytes: never): infer Response } ? Response : never;

/** Chooses among four types by a method's shape: for handlers on one side and client methods on the other. */
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

export function kindOf(method: MethodDefinition): CallKind {
  if (method.requestStream) return method.responseStream ? "bidi_stream" : "client_stream";
  return method.responseStream ? "server_stream" : "unary";
}

const methodNames = new Map<string, string>();

/**
 * "orders.v1.OrdersService/GetOrder": the path without its slash, as OpenTelemetry writes `rpc.method`. The same string each
 * time, so that those who look something up by it need not hash it anew. As many are kept as services have methods.
 */
export function methodName(path: string): string {
  let name = methodNames.get(path);
  if (name === undefined) {
    name = path.slice(1);
    if (methodNames.size < 1_000) methodNames.set(path, name);
  }
  return name;
}
