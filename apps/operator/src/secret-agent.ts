/**
 * The sidecar that writes Secrets to files: `secret-agent.js NAME=SECRET...`. It has a program of
 * its own in the operator's image, so it always is of the version that made the pod.
 */
import { inCluster, Kube } from "@plumbline/kube";
import { run } from "@plumbline/lifecycle";
import { agentPort, secretsFolder } from "./agent/contract.ts";
import { deliverSecrets } from "./agent/deliver-secrets.ts";
import { serveVersions } from "./agent/serve-versions.ts";

/** A Secret has at most 1 MiB, which base64 and the fields of its writers make larger. */
const maxBytes = 4 * 1024 * 1024;
const graceMs = 3_000;

const deliveries = process.argv.slice(2).map((argument) => {
  const [name = "", secretRef = ""] = argument.split("=");
  return { name, secretRef };
});

if (deliveries.length === 0 || deliveries.some(({ name, secretRef }) => name === "" || secretRef === "")) {
  console.error("Usage: secret-agent NAME=SECRET... where NAME is a folder, and SECRET a Secret of the namespace");
  process.exitCode = 2;
} else {
  await run(main, { graceMs });
}

async function main(signal: AbortSignal): Promise<void> {
  const kube = new Kube({ access: inCluster(), maxBytes });
  const versions = new Map<string, string>();
  const names = deliveries.map(({ name }) => name);
  await using _server = await serveVersions(agentPort, names, versions);
  const namespace = await kube.namespace();
  await deliverSecrets({ kube, namespace, deliveries, root: secretsFolder, versions, log, signal });
}

function log(level: string, message: string, fields: Readonly<Record<string, unknown>>): void {
  console.log(JSON.stringify({ level, message, service: "secret-agent", ...fields }));
}
