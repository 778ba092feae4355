import { hostname } from "node:os";
import { durationMs } from "@plumbline/config";
import { serviceConfig, settings } from "@plumbline/service-defaults";
import { z } from "zod";

/** The settings of the operator. In the environment `lease.name` is OPERATOR_LEASE_NAME. */
export const OperatorConfig = serviceConfig({
  ops: settings.ops({ port: 9470 }),
  telemetry: settings.telemetry(),
  namespaces: z
    .array(z.string().min(1).max(63))
    .max(20)
    .optional()
    .describe("the namespaces whose resources are kept; the operator's own if not set"),
  kubeconfig: z.string().min(1).optional().describe("the way to the cluster; the pod's service account if not set"),
  identity: z.string().min(1).max(128).optional().describe("the name of this replica; the machine's name if not set"),
  lease: z.object({
    namespace: z.string().min(1).max(63).optional().describe("the operator's own if not set"),
    name: z.string().min(1).max(63).default("plumbline-operator").describe("the Lease that all replicas share"),
    seconds: z
      .int()
      .min(3)
      .max(300)
      .default(15)
      .describe("another replica takes over this time after the last renewal"),
    deadlineMs: durationMs(10_000).describe(
      "without a renewal for this long the process ends; less than lease.seconds",
    ),
    everyMs: durationMs(2_000).describe("the time between two renewals, and two attempts of the other replicas"),
  }),
  sidecars: z.object({
    agentImage: z
      .string()
      .min(1)
      .default("plumbline/operator:dev")
      .describe("the operator's own image, for the sidecar of Secrets; the chart sets it"),
    collectorImage: z
      .string()
      .min(1)
      .default("otel/opentelemetry-collector:0.165.0")
      .describe("the collector beside programs whose resource has tracing; needs otlp, otlp_http, health_check"),
  }),
  resyncMs: durationMs(600_000).describe("every resource is looked at again after this time"),
  ...settings.shutdown(),
});

/** Returns the name of this replica where none is set: that of the pod. */
export function defaultIdentity(): string {
  return hostname();
}
