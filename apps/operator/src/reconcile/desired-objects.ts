import { environmentName, settingsPrefix } from "@plumbline/config";
import type { KubeObject } from "@plumbline/kube";
import { secretsFolder } from "../agent/contract.ts";
import { apiVersion, type BackendService, kind } from "../resource/backend-service.ts";
import { collector, collectorName, spansUrl } from "./collector.ts";
import { networkPolicy } from "./network-policy.ts";
import {
  agentAccess,
  agentLabel,
  agentName,
  agentSecrets,
  agentVolumes,
  secretAgent,
  volumeOf,
} from "./secret-agent.ts";

/** The name under which the API server remembers the fields that the operator owns. */
export const manager = "plumbline-operator";

/** The label of all that the operator makes. */
export const managedBy = "app.kubernetes.io/managed-by";

/** The versions of the Secrets in the resource's namespace, by their names. */
export type SecretVersions = ReadonlyMap<string, string>;

/** The images of sidecars. */
export interface SidecarImages {
  readonly collector: string;
  /** The operator's own image, which has the program of the agent too. */
  readonly agent: string;
}

/**
 * Returns the objects that the resource asks for, in the order in which they are applied. It is a
 * pure function: the same arguments give the same objects.
 */
export function desiredObjects(
  resource: BackendService,
  versions: SecretVersions,
  images: SidecarImages,
): readonly KubeObject[] {
  const { name, namespace, uid } = resource.metadata;
  const { spec } = resource;
  const labels = { ...selectorOf(resource), "app.kubernetes.io/part-of": "plumbline", [managedBy]: manager };
  const metadata = {
    name,
    namespace,
    labels,
    ownerReferences: [{ apiVersion, kind, name, uid, controller: true }],
  };
  const serviceAccount = { apiVersion: "v1", kind: "ServiceAccount", metadata, automountServiceAccountToken: false };
  const service = {
    apiVersion: "v1",
    kind: "Service",
    metadata,
    spec: {
      selector: selectorOf(resource),
      ...(spec.ports.grpc === undefined
        ? { ports: [{ name: "http", port: 80, targetPort: "http", protocol: "TCP" }] }
        : {
            // Without an address of its own, so that clients see each pod.
            clusterIP: "None",
            ports: [{ name: "grpc", port: spec.ports.grpc, targetPort: "grpc", protocol: "TCP" }],
          }),
    },
  };
  const disruption = {
    apiVersion: "policy/v1",
    kind: "PodDisruptionBudget",
    metadata,
    spec: {
      maxUnavailable: 1,
      unhealthyPodEvictionPolicy: "AlwaysAllow",
      selector: { matchLabels: selectorOf(resource) },
    },
  };
  return [
    serviceAccount,
    ...agentAccess(agentSecrets(resource), metadata),
    // Before the pods, so that none of them runs without it.
    ...networkPolicy(resource, selectorOf(resource), metadata),
    service,
    disruption,
    deployment(resource, { versions, images }, metadata),
    autoscaler(resource, metadata),
  ];
}

/** Returns the labels by which the pods of a resource are found. */
export function selectorOf({ metadata, spec }: BackendService): Readonly<Record<string, string>> {
  return {
    "app.kubernetes.io/name": spec.program ?? metadata.name,
    "app.kubernetes.io/instance": metadata.name,
  };
}

/** Returns the names of the sidecars that a resource asks for. */
export function sidecarsOf(resource: BackendService): readonly string[] {
  return [
    ...(agentSecrets(resource).length === 0 ? [] : [agentName]),
    ...(resource.spec.tracing === undefined ? [] : [collectorName]),
  ];
}

function autoscaler({ metadata: { name }, spec }: BackendService, metadata: KubeObject["metadata"]): KubeObject {
  const { min, max, target } = spec.replicas;
  const metric =
    target.metric === "cpu"
      ? {
          type: "Resource",
          resource: { name: "cpu", target: { type: "Utilization", averageUtilization: target.average } },
        }
      : {
          type: "Pods",
          pods: {
            metric: { name: target.metric },
            target: { type: "AverageValue", averageValue: String(target.average) },
          },
        };
  return {
    apiVersion: "autoscaling/v2",
    kind: "HorizontalPodAutoscaler",
    metadata,
    spec: {
      scaleTargetRef: { apiVersion: "apps/v1", kind: "Deployment", name },
      minReplicas: min,
      maxReplicas: max,
      metrics: [metric],
      behavior: { scaleDown: { stabilizationWindowSeconds: 60 } },
    },
  };
}

const containerSecurity = {
  allowPrivilegeEscalation: false,
  readOnlyRootFilesystem: true,
  capabilities: { drop: ["ALL"] },
};

/** Has no `replicas`: that number belongs to the autoscaler. */
function deployment(
  resource: BackendService,
  { versions, images }: { readonly versions: SecretVersions; readonly images: SidecarImages },
  metadata: KubeObject["metadata"],
): KubeObject {
  const { spec } = resource;
  const { name } = resource.metadata;
  const secrets = spec.secrets ?? [];
  const container = (given: readonly Secret[]) => ({
    image: spec.image,
    env: variables(resource, given),
    resources: {
      requests: { cpu: spec.resources.cpu, memory: spec.resources.memory },
      limits: { memory: spec.resources.memory },
    },
    securityContext: containerSecurity,
    volumeMounts: given.map((secret) => ({
      name: volumeOf(secret.name),
      mountPath: `${secretsFolder}/${secret.name}`,
      readOnly: true,
    })),
  });
  const common = secrets.filter(({ only }) => only === undefined);
  // Those of init alone come last, so that their settings win.
  const all = [...common, ...secrets.filter((secret) => !common.includes(secret))];
  const probe = (path: string, periodSeconds: number, timeoutSeconds: number, failureThreshold: number) => ({
    httpGet: { path, port: "ops" },
    periodSeconds,
    timeoutSeconds,
    failureThreshold,
  });
  const written = agentSecrets(resource);
  // In the order of their starts. They end in reverse.
  const sidecars = [
    ...(written.length === 0 ? [] : [secretAgent(written, images.agent)]),
    ...(spec.tracing === undefined ? [] : [collector(spec.tracing, images.collector)]),
  ];
  // A version in the template replaces the pods when it changes.
  const annotations = Object.fromEntries(
    secrets
      .filter(({ follow }) => follow === "restart")
      .map((secret) => [`plumbline.dev/secret-${secret.name}`, versions.get(secret.secretRef) ?? "missing"]),
  );
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata,
    spec: {
      revisionHistoryLimit: 5,
      progressDeadlineSeconds: 300,
      strategy: { type: "RollingUpdate", rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } },
      selector: { matchLabels: selectorOf(resource) },
      template: {
        metadata: {
          labels: {
            ...selectorOf(resource),
            "app.kubernetes.io/part-of": "plumbline",
            ...(written.length > 0 && { [agentLabel]: "true" }),
          },
          annotations: { "kubectl.kubernetes.io/default-container": name, ...annotations },
        },
        spec: {
          serviceAccountName: name,
          automountServiceAccountToken: false,
          enableServiceLinks: false,
          // The program ends within 25 s. A sidecar with spans has the rest: an export takes 5 s at
          // most. The namespace goes no sooner than after half of the longest of its pods' times.
          terminationGracePeriodSeconds: spec.tracing === undefined ? 30 : 35,
          securityContext: {
            runAsNonRoot: true,
            runAsUser: 65_532,
            runAsGroup: 65_532,
            fsGroup: 65_532,
            fsGroupChangePolicy: "OnRootMismatch",
            seccompProfile: { type: "RuntimeDefault" },
          },
          dnsConfig: { options: [{ name: "ndots", value: "2" }] },
          initContainers: [
            ...sidecars.map((sidecar) => ({ ...sidecar, securityContext: containerSecurity })),
            ...(spec.init ?? []).map((argument, index) => ({
              ...container(all),
              name: `init-${index}`,
              args: ["main.js", argument],
            })),
          ],
          containers: [
            {
              ...container(common),
              name,
              ports: [
                spec.ports.grpc === undefined
                  ? { name: "http", containerPort: spec.ports.http, protocol: "TCP" }
                  : { name: "grpc", containerPort: spec.ports.grpc, protocol: "TCP" },
                { name: "ops", containerPort: spec.ports.ops, protocol: "TCP" },
              ],
              startupProbe: probe("/readyz", 1, 3, 60),
              readinessProbe: probe("/readyz", 2, 3, 2),
              livenessProbe: probe("/healthz", 10, 5, 3),
            },
          ],
          volumes: [
            ...agentVolumes(written),
            ...secrets
              .filter((secret) => !written.includes(secret))
              .map((secret) => ({
                name: volumeOf(secret.name),
                secret: { secretName: secret.secretRef, defaultMode: 0o440 },
              })),
          ],
        },
      },
    },
  };
}

type Secret = NonNullable<BackendService["spec"]["secrets"]>[number];

interface Variable {
  readonly name: string;
  readonly value: string;
}

/**
 * Returns the variables by name, each once: a setting of the resource wins over the operator's, and
 * a later Secret over an earlier one.
 */
function variables({ metadata, spec }: BackendService, secrets: readonly Secret[]): readonly Variable[] {
  const prefix = settingsPrefix(spec.program ?? metadata.name);
  const variable = (setting: string) => environmentName(prefix, setting.split("."));
  const all: Readonly<Record<string, string>> = {
    [variable("ops.port")]: String(spec.ports.ops),
    // Clients need that long to find other pods. The pod has 5 s more to end.
    [variable("drainMs")]: "10000",
    [variable("graceMs")]: "25000",
    ...(spec.tracing !== undefined && {
      [variable("telemetry.otlpEndpoint")]: spansUrl,
      [variable("telemetry.sampleRatio")]: String(spec.tracing.sampleRatio),
    }),
    ...Object.fromEntries(Object.entries(spec.settings ?? {}).map(([key, value]) => [variable(key), value])),
    ...Object.fromEntries(
      secrets.flatMap(({ name, settings }) =>
        Object.entries(settings ?? {}).map(([key, file]) => [
          `${variable(key)}_FILE`,
          `${secretsFolder}/${name}/${file}`,
        ]),
      ),
    ),
  };
  return Object.entries(all)
    .map(([name, value]) => ({ name, value }))
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));
}
