import { join } from "node:path";
import { examples } from "./examples.ts";
import { type KubeObject, render, textOf } from "./render.ts";

const folder = join(import.meta.dirname, "golden");

/**
 * Returns the right text of the goldens, by path: the names of all objects, and the few objects
 * that a reader wants to see whole.
 */
export function goldens(): Readonly<Record<string, string>> {
  const least = render().objects;
  const everything = render(examples["everything"] ?? {}).objects;
  const envoy = render(examples["envoy"] ?? {}).objects;
  return {
    [join(folder, "objects.txt")]: `${least.map(lineOf).toSorted().join("\n")}\n`,
    [join(folder, "orders.yaml")]: textOf(one(least, "Deployment", "release-orders")),
    [join(folder, "orders-with-everything.yaml")]: textOf(one(everything, "Deployment", "release-orders")),
    [join(folder, "gateway-policy.yaml")]: textOf(one(least, "NetworkPolicy", "release-gateway")),
    [join(folder, "envoy-objects.txt")]: `${envoy.map(lineOf).toSorted().join("\n")}\n`,
    [join(folder, "envoy.yaml")]: textOf(one(envoy, "Deployment", "release-envoy")),
    [join(folder, "envoy-policy.yaml")]: textOf(one(envoy, "NetworkPolicy", "release-envoy")),
    [join(folder, "control-plane.yaml")]: textOf(one(envoy, "Deployment", "release-control-plane")),
    [join(folder, "control-plane-config.yaml")]: textOf(one(envoy, "ConfigMap", "release-control-plane")),
    [join(folder, "gateway-live.yaml")]: textOf(one(everything, "ConfigMap", "release-gateway")),
  };
}

function lineOf({ kind, metadata }: KubeObject): string {
  return `${kind} ${metadata.name}`;
}

function one(objects: readonly KubeObject[], kind: string, name: string): KubeObject {
  const found = objects.find((object) => object.kind === kind && object.metadata.name === name);
  if (found === undefined) throw new Error(`the chart renders no ${kind} ${name}`);
  return found;
}
