import { chartOf, enginesOf, release, valuesOf } from "./charts.ts";
import type { Reach } from "./reach.ts";

interface InstallOptions {
  readonly reach: Reach;
  readonly namespace: string;
  readonly tag: string;
}

/** Installs or upgrades both charts in a namespace that is made if it is missing. */
export async function installAndLeave(
  { reach, namespace, tag }: InstallOptions,
  print: (text: string) => void,
): Promise<number> {
  const into = ["--install", "--create-namespace", "--namespace", namespace, "--wait", "--timeout=300s"];
  const began = performance.now();
  await reach.helm(["upgrade", "engines", ...enginesOf(tag), ...into]);
  const ready = performance.now();
  print(await reach.helm(["upgrade", release, chartOf(), ...into, ...valuesOf(tag)]));
  print(`engines after ${seconds(ready - began)}, services ${seconds(performance.now() - ready)} later`);
  return 0;
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`;
}
