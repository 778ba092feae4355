/** Parts that most clusters have, installed for a verb: deploy/helm/platform-for-tests. */
import { join } from "node:path";
import { charts } from "./charts.ts";
import type { Reach } from "./reach.ts";

const waitS = 180;
const chart = join(charts, "platform-for-tests");

/** The parts that are installed beside the services. */
export interface Platform {
  /** Prometheus and prometheus-adapter. */
  readonly metrics?: boolean;
  /** Traefik, for Ingresses whose class is the name of the namespace. */
  readonly ingress?: boolean;
}

/** Installs parts of the platform in a namespace. Disposing removes also what is outside of it. */
export async function installPlatform(reach: Reach, namespace: string, parts: Platform): Promise<AsyncDisposable> {
  const { metrics = false, ingress = false } = parts;
  const switches = ["--set", `metrics.enabled=${metrics},ingress.enabled=${ingress}`];
  const into = ["--namespace", namespace, "--wait", `--timeout=${waitS}s`];
  await using installed = new AsyncDisposableStack();
  // Without this the API of metrics has no server, and no namespace can be deleted.
  installed.defer(async () => void (await reach.helm(["uninstall", "platform", "--ignore-not-found", ...into])));
  await reach.helm(["install", "platform", chart, ...switches, ...into]);
  if (metrics) {
    const available = ["wait", "--for=condition=Available", "apiservice/v1beta1.custom.metrics.k8s.io"];
    await reach.kubectl([...available, `--timeout=${waitS}s`]);
  }
  return installed.move();
}

/** Returns the address of Traefik for plain HTTP. It chooses a pod for each request. */
export async function ingressUrl(reach: Reach, namespace: string): Promise<string> {
  const path = ["--output", "jsonpath={.spec.clusterIP}"];
  return `http://${await reach.kubectl(["--namespace", namespace, "get", "service", "traefik", ...path])}`;
}
