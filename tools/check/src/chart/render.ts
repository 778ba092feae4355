import { join, resolve } from "node:path";
import { databaseOwners } from "@plumbline/tools-stack";
import { parseAllDocuments, stringify } from "yaml";
import { type Ran, run } from "./programs.ts";

const root = resolve(import.meta.dirname, "../../../..");

/** The folder of the chart. */
export const chartFolder = join(root, "deploy/helm/plumbline");

/** A Kubernetes object, as far as the checks read it. */
export interface KubeObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: Metadata & { readonly name: string };
  readonly data?: Readonly<Record<string, string>>;
  readonly spec?: {
    readonly replicas?: number;
    readonly scaleTargetRef?: { readonly name: string };
    readonly template?: { readonly metadata: Metadata; readonly spec: Pod };
    readonly [field: string]: unknown;
  };
}

interface Metadata {
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}

export interface Pod {
  readonly automountServiceAccountToken?: boolean;
  readonly enableServiceLinks?: boolean;
  readonly terminationGracePeriodSeconds?: number;
  readonly securityContext?: {
    readonly runAsNonRoot?: boolean;
    readonly seccompProfile?: { readonly type?: string };
  };
  readonly containers: readonly Container[];
  readonly initContainers?: readonly Container[];
  readonly volumes?: readonly { readonly name: string; readonly [source: string]: unknown }[];
}

export interface Container {
  readonly name: string;
  readonly image: string;
  readonly env?: readonly { readonly name: string; readonly value?: string }[];
  readonly securityContext?: {
    readonly allowPrivilegeEscalation?: boolean;
    readonly readOnlyRootFilesystem?: boolean;
    readonly capabilities?: { readonly drop?: readonly string[] };
  };
  readonly resources?: {
    readonly requests?: Readonly<Record<string, unknown>>;
    readonly limits?: Readonly<Record<string, unknown>>;
  };
  readonly volumeMounts?: readonly { readonly name: string; readonly subPath?: string }[];
}

/** Returns the pod of each Deployment, with the name of its service. */
export function podsOf(objects: readonly KubeObject[]): readonly { readonly app: string; readonly pod: Pod }[] {
  return objects.flatMap(({ kind, spec }) => {
    const template = kind === "Deployment" ? spec?.template : undefined;
    return template === undefined
      ? []
      : [{ app: template.metadata.labels?.["app.kubernetes.io/name"] ?? "", pod: template.spec }];
  });
}

/** The values that a first install needs at least: the issuer, and the Secrets of the databases. */
export const leastValues = {
  services: {
    gateway: { settings: { auth: { issuer: "https://id.example.com" } } },
    ...Object.fromEntries(
      databaseOwners.map((owner) => [
        owner,
        { secrets: { "database.url": { name: `${owner}-database`, key: "url" } } },
      ]),
    ),
  },
};

export interface Rendered {
  readonly text: string;
  readonly objects: readonly KubeObject[];
}

/** Renders the chart with values on top of the least ones. Throws helm's complaint. */
export function render(...values: readonly object[]): Rendered {
  const { ok, out, complaint } = tryRender(...values);
  if (!ok) throw new Error(complaint);
  return { text: out, objects: objectsOf(out) };
}

/** Renders the chart as `release` in the namespace `shop`, and returns how helm ended. */
export function tryRender(...values: readonly object[]): Ran {
  return withValues("template", [], values);
}

/** Returns what an install prints for its reader. Throws helm's complaint. */
export function notes(...values: readonly object[]): string {
  const { ok, out, complaint } = withValues("install", ["--dry-run=client"], values);
  if (!ok) throw new Error(complaint);
  return out.slice(out.lastIndexOf("\nNOTES:"));
}

function withValues(command: string, options: readonly string[], values: readonly object[]): Ran {
  const all = [leastValues, ...values].reduce(merged, {});
  const args = [command, "release", chartFolder, "--namespace", "shop", "--values", "-", ...options];
  return run("helm", args, JSON.stringify(all));
}

/** Merges maps of values as helm does: keys of `upper` win. */
function merged(lower: object, upper: object): object {
  const result: Record<string, unknown> = { ...lower };
  for (const [key, value] of Object.entries(upper)) {
    const below = result[key];
    result[key] = isMap(below) && isMap(value) ? merged(below, value) : value;
  }
  return result;
}

function isMap(value: unknown): value is object {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Returns the objects of a stream of YAML documents. */
export function objectsOf(text: string): readonly KubeObject[] {
  return parseAllDocuments(text).flatMap((document) => (document.toJS() as KubeObject | null) ?? []);
}

/** Returns one object as text, for goldens. */
export function textOf(object: KubeObject): string {
  return stringify(object, { lineWidth: 0 });
}
