import { codeOf } from "@plumbline/errors";
import type { Metrics } from "@plumbline/telemetry";
import type { ClientCall, ServerCall } from "../call.ts";
import type { Interceptor } from "./interceptor.ts";

/**
 * Measures the duration, outcome and number of calls on the server. Methods come from definitions,
 * a closed set.
 */
export function serverMetrics(metrics: Metrics): Interceptor<ServerCall> {
  return measured(metrics, "server", "served");
}

/** Measures the duration, outcome and number of outgoing calls. */
export function clientMetrics(metrics: Metrics): Interceptor<ClientCall> {
  return measured(metrics, "client", "made");
}

function measured<C extends ClientCall | ServerCall>(metrics: Metrics, side: string, verb: string): Interceptor<C> {
  const duration = metrics.histogram(
    `rpc_${side}_call_duration_seconds`,
    `Duration of the gRPC calls ${verb}, streams to their end, by method and status code.`,
    ["method", "code"],
  );
  const running = metrics.gauge(`rpc_${side}_calls_in_flight`, `gRPC calls being ${verb} now, by method.`, ["method"]);
  return async (call, next) => {
    const { method } = call;
    const start = performance.now();
    const ended = (code: string): void => duration.observe({ method, code }, (performance.now() - start) / 1000);
    running.inc({ method });
    try {
      await next(call);
      ended("ok");
    } catch (error) {
      ended(codeOf(error));
      throw error;
    } finally {
      running.dec({ method });
    }
  };
}
