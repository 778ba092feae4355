import { join, resolve } from "node:path";

/** The folder of the charts. */
export const charts = resolve(import.meta.dirname, "../../../../deploy/helm");

/** The release of the services. The names of their objects begin with it. */
export const release = "plumbline";

/** Returns the folder of the chart of the services. */
export function chartOf(): string {
  return join(charts, "plumbline");
}

/** Returns the arguments that give the services the engines for tests, and images of a tag. */
export function valuesOf(tag: string): readonly string[] {
  return ["--values", join(charts, "examples/kafka.yaml"), "--set-string", `image.tag=${tag}`];
}
