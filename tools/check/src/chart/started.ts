/** The environments of the chart's containers, to be compared with the schemas. */
import type { Started } from "../settings/started.ts";
import { type KubeObject, podsOf } from "./render.ts";

/** Programs of others, which have no settings of ours. */
const foreign: ReadonlySet<string> = new Set(["envoy"]);

/**
 * Returns what each container of the objects starts, but programs of others. A mounted secret gets
 * a value that fits.
 */
export function startedPods(objects: readonly KubeObject[]): readonly Started[] {
  const ours = podsOf(objects).filter(({ app }) => !foreign.has(app));
  return ours.flatMap(({ app, pod }) =>
    [...(pod.initContainers ?? []), ...pod.containers].map(({ name, env = [] }) => ({
      where: `${name} of ${app} in deploy/helm/plumbline`,
      app,
      environment: Object.fromEntries(env.map(({ name: variable, value = "" }) => plain(variable, value))),
    })),
  );
}

function plain(name: string, value: string): readonly [string, string] {
  if (!value.startsWith("/run/plumbline/secrets/")) return [name, value];
  const scheme = name.includes("REDIS") ? "redis" : "postgresql";
  return [name.replace(/_FILE$/, ""), `${scheme}://role:password@host:1/name`];
}
