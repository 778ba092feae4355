import type { KubeObject } from "@plumbline/kube";
import { z } from "zod";
import type { BackendService, BackendServiceStatus, Condition } from "../resource/backend-service.ts";
import { type SecretVersions, selectorOf, sidecarsOf } from "./desired-objects.ts";
import { agentSecrets } from "./secret-agent.ts";

const Deployment = z.object({
  metadata: z.object({ generation: z.int().default(0) }),
  spec: z.object({
    replicas: z.int().default(1),
    template: z
      .object({
        spec: z
          .object({
            initContainers: z.array(z.object({ name: z.string(), restartPolicy: z.string().optional() })).default([]),
          })
          .prefault({}),
      })
      .prefault({ spec: {} }),
  }),
  status: z
    .object({
      observedGeneration: z.int().default(0),
      replicas: z.int().default(0),
      updatedReplicas: z.int().default(0),
      availableReplicas: z.int().default(0),
      conditions: z
        .array(
          z.object({
            type: z.string(),
            status: z.string(),
            reason: z.string().default(""),
            message: z.string().default(""),
          }),
        )
        .default([]),
    })
    .prefault({}),
});

/** A pod whose agent writes Secrets, with the versions that it has said, by name. */
export interface AgentPod {
  readonly name: string;
  readonly versions: ReadonlyMap<string, string>;
}

/** The most pods that the status names for each Secret. */
const maxBehind = 20;

/** The findings of a reconcile: what the status is made of. */
export interface Findings {
  /** The Deployment as the server has it, if it is there. */
  readonly deployment: KubeObject | undefined;
  readonly versions: SecretVersions;
  /** The pods with an agent, if the resource asks for one. */
  readonly pods?: readonly AgentPod[];
  /** The refusal of an object, which does not pass by itself. */
  readonly refusal?: string | undefined;
}

/**
 * Returns the status of a resource. A condition that has not changed keeps its time, so a status
 * that says the same is the same.
 */
export function statusOf(resource: BackendService, findings: Findings, now: string): BackendServiceStatus {
  const { generation } = resource.metadata;
  const found = findings.deployment === undefined ? undefined : Deployment.parse(findings.deployment);
  const secrets = resource.spec.secrets ?? [];
  const missing = secrets.filter(({ secretRef }) => !findings.versions.has(secretRef));
  const { min } = resource.spec.replicas;
  const total = found?.spec.replicas ?? 0;
  const { observedGeneration = 0, updatedReplicas = 0, availableReplicas = 0 } = found?.status ?? {};
  const isObserved = found !== undefined && observedGeneration >= found.metadata.generation;
  const isRolledOut = isObserved && updatedReplicas >= total && (found.status.replicas ?? 0) <= updatedReplicas;
  const isAvailable = isRolledOut && availableReplicas >= total && total >= min;
  const timeout = found?.status.conditions.find(
    ({ type, status, reason }) => type === "Progressing" && status === "False" && reason === "ProgressDeadlineExceeded",
  );
  const progress = `${availableReplicas} of ${Math.max(total, min)} pods are available and up to date`;

  const stalled =
    findings.refusal !== undefined
      ? { reason: "Refused", message: findings.refusal }
      : timeout !== undefined
        ? { reason: "NoProgress", message: `${progress}: ${timeout.message}. See the events and logs of the pods` }
        : undefined;
  const missingText = missing.map(({ secretRef }) => secretRef).join(", ");
  const deliveries = deliveriesOf(resource, findings);
  const conditions = [
    condition("Ready", isAvailable && stalled === undefined, {
      reason: stalled?.reason ?? (isAvailable ? "Available" : missing.length > 0 ? "SecretMissing" : "Unavailable"),
      message: stalled?.message ?? progress,
    }),
    condition("Progressing", stalled === undefined && !isAvailable, {
      reason: stalled !== undefined ? "Stalled" : isAvailable ? "Done" : "RollingOut",
      message: progress,
    }),
    inSync(),
    ...injected(),
    condition("Stalled", stalled !== undefined, stalled ?? { reason: "NotStalled", message: "" }),
  ];
  return {
    observedGeneration: generation,
    replicas: found?.status.replicas ?? 0,
    selector: Object.entries(selectorOf(resource))
      .map(([key, value]) => `${key}=${value}`)
      .join(","),
    ...(secrets.length > 0 && {
      secrets: secrets.flatMap(({ name, secretRef }) => {
        const resourceVersion = findings.versions.get(secretRef);
        if (resourceVersion === undefined) return [];
        const delivery = deliveries.get(name);
        return [{ name, resourceVersion, ...delivery }];
      }),
    }),
    conditions,
  };

  function inSync(): Condition {
    if (missing.length > 0) {
      return condition("SecretsInSync", false, {
        reason: "Missing",
        message: `pods cannot start without the Secrets ${missingText}: create them in the namespace ${resource.metadata.namespace}`,
      });
    }
    const late = [...deliveries].filter(([, { deliveredTo, behind }]) => deliveredTo === 0 || behind !== undefined);
    if (late.length > 0) {
      const parts = late.map(([name, { deliveredTo, behind = [] }]) => {
        const pods = behind.map(({ pod }) => pod).join(", ");
        return `${name}: ${deliveredTo} pods have the present version${pods === "" ? "" : `, and not ${pods}`}`;
      });
      return condition("SecretsInSync", false, { reason: "Delivering", message: parts.join("; ") });
    }
    return condition("SecretsInSync", true, { reason: "Found", message: `${secrets.length} Secrets are there` });
  }

  /** Returns the condition about sidecars, if the resource asks for some. */
  function injected(): readonly Condition[] {
    const sidecars = sidecarsOf(resource);
    if (sidecars.length === 0) return [];
    const containers = found?.spec.template.spec.initContainers ?? [];
    const asked = sidecars.flatMap((name) => containers.find((one) => one.name === name) ?? []);
    const names = sidecars.join(", ");
    // A cluster that does not know the field drops it, and would wait for the end of the sidecar.
    const isKnown = asked.every(({ restartPolicy }) => restartPolicy === "Always");
    const isEverywhere = asked.length === sidecars.length && isRolledOut;
    return [
      condition("SidecarsInjected", isKnown && isEverywhere, {
        reason: !isKnown ? "Unsupported" : isEverywhere ? "Injected" : "RollingOut",
        message: !isKnown
          ? `the cluster runs no sidecars: ${names} need Kubernetes 1.29 or newer`
          : isEverywhere
            ? `all pods run ${names}`
            : `some pods run without ${names}: they are replaced`,
      }),
    ];
  }

  function condition(
    type: string,
    isTrue: boolean,
    why: { readonly reason: string; readonly message: string },
  ): Condition {
    const status = isTrue ? "True" : "False";
    const before = resource.status?.conditions?.find((one) => one.type === type);
    const message = why.message.length > 2_000 ? `${why.message.slice(0, 1_999)}…` : why.message;
    return {
      type,
      status,
      reason: why.reason,
      message,
      lastTransitionTime: before?.status === status ? before.lastTransitionTime : now,
      observedGeneration: generation,
    };
  }
}

interface DeliveryStatus {
  readonly deliveredTo: number;
  readonly behind?: { pod: string; resourceVersion?: string }[];
}

/** Returns which pods have the present versions of the Secrets that the agent writes, by name. */
export function deliveriesOf(
  resource: BackendService,
  { versions, pods = [] }: Pick<Findings, "versions" | "pods">,
): ReadonlyMap<string, DeliveryStatus> {
  return new Map(
    agentSecrets(resource).map(({ name, secretRef }) => {
      const present = versions.get(secretRef);
      const late = pods.filter((pod) => present === undefined || pod.versions.get(name) !== present);
      const behind = late.slice(0, maxBehind).map((pod) => {
        const resourceVersion = pod.versions.get(name);
        return { pod: pod.name, ...(resourceVersion !== undefined && { resourceVersion }) };
      });
      return [name, { deliveredTo: pods.length - late.length, ...(behind.length > 0 && { behind }) }] as const;
    }),
  );
}
