import { agentPort, secretsFolder } from "../agent/contract.ts";
import type { BackendService } from "../resource/backend-service.ts";

type Secret = NonNullable<BackendService["spec"]["secrets"]>[number];

/** The name of the sidecar that writes Secrets. */
export const agentName = "plumbline-agent";

/** The label of pods that have one. The operator watches no others. */
export const agentLabel = "plumbline.dev/agent";

const tokenVolume = "plumbline-agent-token";
const tokenFolder = "/var/run/secrets/kubernetes.io/serviceaccount";
const memory = "48Mi";
/** Two versions of a Secret, which has at most 1 MiB, and what the file system needs. */
const filesLimit = "4Mi";

/** Returns the Secrets that the agent writes. */
export function agentSecrets({ spec }: BackendService): readonly Secret[] {
  return (spec.secrets ?? []).filter(({ follow }) => follow === "agent");
}

/** Returns the sidecar that writes the files of Secrets. It alone has the token of the pod. */
export function secretAgent(secrets: readonly Secret[], image: string) {
  return {
    name: agentName,
    image,
    args: ["secret-agent.js", ...secrets.map(({ name, secretRef }) => `${name}=${secretRef}`)],
    // The image's own share of the memory is for programs that serve.
    env: [{ name: "NODE_OPTIONS", value: "--max-old-space-size=24 --max-semi-space-size=1" }],
    // It starts before the program, and ends after it.
    restartPolicy: "Always",
    // A pod waits for its Secrets, as it does for volumes of Secrets.
    startupProbe: {
      httpGet: { path: "/", port: agentPort },
      periodSeconds: 1,
      timeoutSeconds: 3,
      failureThreshold: 3_600,
    },
    resources: { requests: { cpu: "10m", memory }, limits: { memory } },
    volumeMounts: [
      { name: tokenVolume, mountPath: tokenFolder, readOnly: true },
      ...secrets.map(({ name }) => ({ name: volumeOf(name), mountPath: `${secretsFolder}/${name}` })),
    ],
  };
}

/** Returns the name of the volume of a Secret. */
export function volumeOf(name: string): string {
  return `secret-${name}`;
}

/** Returns the volumes of the agent: one in memory for each Secret, and the token. */
export function agentVolumes(secrets: readonly Secret[]) {
  if (secrets.length === 0) return [];
  return [
    ...secrets.map(({ name }) => ({ name: volumeOf(name), emptyDir: { medium: "Memory", sizeLimit: filesLimit } })),
    {
      name: tokenVolume,
      projected: {
        defaultMode: 0o440,
        sources: [
          { serviceAccountToken: { path: "token", expirationSeconds: 3_600 } },
          { configMap: { name: "kube-root-ca.crt", items: [{ key: "ca.crt", path: "ca.crt" }] } },
          { downwardAPI: { items: [{ path: "namespace", fieldRef: { fieldPath: "metadata.namespace" } }] } },
        ],
      },
    },
  ];
}

/**
 * Returns the objects that let the service account of the pods read the named Secrets, and nothing
 * else. The operator may give no right that it does not have itself.
 */
export function agentAccess(secrets: readonly Secret[], { name, namespace, ...rest }: Metadata) {
  if (secrets.length === 0) return [];
  const metadata = { name, namespace, ...rest };
  const group = "rbac.authorization.k8s.io";
  const names = [...new Set(secrets.map(({ secretRef }) => secretRef))].toSorted();
  return [
    {
      apiVersion: `${group}/v1`,
      kind: "Role",
      metadata,
      rules: [{ apiGroups: [""], resources: ["secrets"], resourceNames: names, verbs: ["list", "watch"] }],
    },
    {
      apiVersion: `${group}/v1`,
      kind: "RoleBinding",
      metadata,
      roleRef: { apiGroup: group, kind: "Role", name },
      subjects: [{ kind: "ServiceAccount", name, namespace }],
    },
  ];
}

interface Metadata {
  readonly name: string;
  readonly namespace: string;
}
