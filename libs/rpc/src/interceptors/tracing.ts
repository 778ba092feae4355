import { codeOf } from "@plumbline/errors";
import type { Span, Tracer } from "@plumbline/telemetry";
import type { ClientCall, ServerCall } from "../call.ts";
import type { Interceptor } from "./interceptor.ts";

/** Starts a server span for each call, child of the span in the request's W3C `traceparent`. */
export function serverTracing(tracer: Tracer): Interceptor<ServerCall> {
  return (call, next) => {
    const options = { kind: "server", attributes: attributes(call), parent: call.metadata.texts() } as const;
    return tracer.span(call.method, options, (span) => settled(span, next(call)));
  };
}

/** Starts a client span for each call, and sends its context. */
export function clientTracing(tracer: Tracer): Interceptor<ClientCall> {
  return async (call, next) => {
    const span = tracer.start(call.method, { kind: "client", attributes: attributes(call) });
    try {
      const carrier = span.carrier();
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

// Names from OpenTelemetry's semantic conventions for gRPC.
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
