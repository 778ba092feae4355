import { codeOf } from "@plumbline/errors";
import type { Span, Tracer } from "@plumbline/telemetry";
import type { ClientCall, ServerCall } from "../call.ts";
import type { Interceptor } from "./interceptor.ts";

/** A server span for each call, child of the span whose W3C `traceparent` came with it. */
export function serverTracing(tracer: Tracer): Interceptor<ServerCall> {
  return (call, next) => {
    const options = { kind: "server", attributes: attributes(call), parent: call.metadata.texts() } as const;
    return tracer.span(call.method, options, (span) => settled(span, next(call)));
  };
}

/** A client span for each call, whose context goes out with it. */
export function clientTracing(tracer: Tracer): Interceptor<ClientCall> {
  return async (call, next) => {
    const span = tracer.start(call.method, { kind: "client", attributes: attributes(call) });
    try {
      const carrier: Record<string, string> = {};
      span.inject(carrier);
      for (const name in carrier) call.metadata.set(name, carrier[name] ?? "");
      await next(call);
      span.setAttribute(statusCode, "OK");
    } catch (error) {
      span.setAttribute(statusCode, codeOf(error).toUpperCase());
      span.fail(error);
      throw error;
    } finally {
      span.end();
    }
  };
}

// OpenTelemetry's semantic conventions for gRPC.
const statusCode = "rpc.response.status_code";

function attributes(call: ClientCall | ServerCall): Record<string, string> {
  return { "rpc.system.name": "grpc", "rpc.method": call.method };
}

async function settled(span: Span, work: Promise<void>): Promise<void> {
  try {
    await work;
    span.setAttribute(statusCode, "OK");
  } catch (error) {
    span.setAttribute(statusCode, codeOf(error).toUpperCase());
    throw error;
  }
}
