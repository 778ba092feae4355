import { certificateSecrets } from "./certificates.ts";
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
  const secrets = { apiVersion: "v1", kind: "List", items: certificateSecrets(namespace) };
  await reach.kubectl(["apply", "--filename", "-"], JSON.stringify(secrets));
  const ready = performance.now();
  print(await reach.helm(["upgrade", release, chartOf(), ...into, ...valuesOf(tag)]));
  print(tokenHelp(namespace));
  print(`engines after ${seconds(ready - began)}, services ${seconds(performance.now() - ready)} later`);
  return 0;
}

/** Returns how a token is had from outside of the cluster. */
function tokenHelp(namespace: string): string {
  const kubectl = `kubectl --namespace ${namespace}`;
  return [
    "A token, whose issuer is for development:",
    `  ${kubectl} get secret issuer-authority --output 'jsonpath={.data.ca\\.crt}' | base64 --decode >ca.pem`,
    `  ${kubectl} port-forward service/issuer 8091`,
    "  curl --cacert ca.pem https://localhost:8091/ada",
    "",
  ].join("\n");
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`;
}
