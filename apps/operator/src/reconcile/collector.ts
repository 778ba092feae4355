import { stringify } from "yaml";
import type { BackendService } from "../resource/backend-service.ts";

type Tracing = NonNullable<BackendService["spec"]["tracing"]>;

/** The name of the sidecar that takes the spans of a pod. */
export const collectorName = "plumbline-collector";

/** The address that programs send their spans to. It does not leave the pod. */
export const spansUrl = "http://127.0.0.1:4318";

/** The kubelet asks here. */
const healthPort = 13_133;
const variable = "COLLECTOR_CONFIG";
const memoryMiB = 96;

/**
 * Returns the sidecar that takes the spans of a pod's program and passes them on in batches. Its
 * configuration is a variable, so a change of it replaces the pods, and a rollback brings the old
 * one back.
 */
export function collector(tracing: Tracing, image: string) {
  return {
    name: collectorName,
    image,
    args: [`--config=env:${variable}`],
    env: [
      { name: variable, value: stringify(configOf(tracing), { lineWidth: 0 }) },
      { name: "GOMEMLIMIT", value: `${(memoryMiB * 3) / 4}MiB` },
    ],
    // It starts before the program, and ends after it.
    restartPolicy: "Always",
    startupProbe: {
      httpGet: { path: "/", port: healthPort },
      periodSeconds: 1,
      timeoutSeconds: 3,
      failureThreshold: 60,
    },
    resources: {
      requests: { cpu: "20m", memory: `${memoryMiB}Mi` },
      limits: { memory: `${memoryMiB}Mi` },
    },
  };
}

function configOf({ collector: endpoint }: Tracing) {
  return {
    extensions: { health_check: { endpoint: `0.0.0.0:${healthPort}` } },
    receivers: { otlp: { protocols: { http: { endpoint: new URL(spansUrl).host } } } },
    processors: {
      // It comes first: above its limit spans are refused, and the program counts them as lost.
      memory_limiter: { check_interval: "1s", limit_mib: memoryMiB / 2, spike_limit_mib: memoryMiB / 8 },
      batch: { timeout: "1s", send_batch_size: 512, send_batch_max_size: 1_024 },
    },
    exporters: {
      otlp_http: {
        endpoint,
        timeout: "5s",
        sending_queue: { queue_size: 100 },
        retry_on_failure: { initial_interval: "500ms", max_interval: "5s", max_elapsed_time: "60s" },
      },
    },
    service: {
      extensions: ["health_check"],
      pipelines: {
        traces: { receivers: ["otlp"], processors: ["memory_limiter", "batch"], exporters: ["otlp_http"] },
      },
      telemetry: { logs: { level: "warn", encoding: "json" }, metrics: { level: "none" } },
    },
  };
}
