export type { Call, ClientCall, ServerCall } from "./call.ts";
export type { CallOptions, Channel, UnaryResponse } from "./client/channel.ts";
export { type ConnectOptions, connect } from "./client/connect.ts";
export { type Client, type ClientOptions, type ClientRetry, createClient } from "./client/create-client.ts";
export type { RetryThrottle, RetryThrottling } from "./client/retry-throttle.ts";
export { isAtDeadline } from "./deadline.ts";
export type {
  CallKind,
  MessageType,
  MethodDefinition,
  RequestOf,
  ResponseOf,
  ServiceDefinition,
} from "./definition.ts";
export {
  HealthCheckResponse_ServingStatus as servingStatus,
  HealthDefinition as HealthService,
} from "./gen/grpc/health/v1/health.ts";
export { type AccessTable, type MethodAccess } from "./interceptors/access.ts";
export { Admission } from "./interceptors/admission.ts";
export type { Interceptor } from "./interceptors/interceptor.ts";
export type { CallWeights } from "./interceptors/weigh.ts";
export { Metadata, type MetadataInit, type MetadataValue, sentOften } from "./metadata.ts";
export { type RpcServer, type ServeOptions, type ServeParts, serve } from "./server/serve.ts";
export { type Handlers, type ServiceImplementation, type ServiceMethod, service } from "./server/service.ts";
export type { ClientTls, Pem, Reloadable, ServerTls } from "./tls/options.ts";
export { defaultTransport, type TransportName, transportNames } from "./transports/index.ts";
