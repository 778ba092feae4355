/** The part of the verb `operator` that counts the spans of pods that end. */
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { networkInterfaces } from "node:os";
import { buffer } from "node:stream/consumers";
import { gunzipSync } from "node:zlib";
import { background, sleep } from "@plumbline/concurrency";
import type { Report } from "../report.ts";
import { systemOf } from "./resources.ts";
import { gatewayUrl, isReady, podsOf, putReady } from "./system.ts";
import { type Cluster, until } from "./until.ts";

const everyMs = 20;
const requestMs = 10_000;
/** The requests before the first pod ends. */
const beforeMs = 5_000;
const arriveMs = 30_000;

/**
 * Ends each pod of the greeter under requests, and compares the traces of all that were answered
 * with those that came here. The gateway passes its clients' traces on, and the spans of the
 * greeter are counted.
 */
export async function traces(cluster: Cluster, report: Report): Promise<void> {
  const { kubectl, namespace, tag } = cluster;
  await using receiver = await receiveSpans();
  for (const { metadata, spec } of systemOf(namespace, tag)) {
    const { name } = metadata;
    const replicas = { min: 2, max: 2 };
    const tracing = { collector: receiver.url };
    if (name === "greeter") await putReady(cluster, name, { ...spec, replicas, tracing });
    if (name !== "gateway") continue;
    const settings = { ...(spec["settings"] as object), "http.trustTrace": "true", "http.trustProxy": "1" };
    await putReady(cluster, name, { ...spec, replicas, settings });
  }
  await kubectl("wait", "backendservice", "greeter", "--for=condition=SidecarsInjected", "--timeout=60s");
  const before = await podsOf(cluster, "greeter");
  const url = `${await gatewayUrl(cluster)}/v1/greetings/world`;
  const answered: string[] = [];
  let failed = 0;
  {
    await using _asking = background(async (signal) => {
      while (!signal.aborted) {
        const trace = randomBytes(16).toString("hex");
        const headers = { traceparent: `00-${trace}-${randomBytes(8).toString("hex")}-01` };
        const isAnswered = await fetch(url, { headers, signal: AbortSignal.timeout(requestMs) }).then(
          async (response) => (await response.text(), response.ok),
          () => false,
        );
        if (isAnswered) answered.push(trace);
        else failed += 1;
        await sleep(everyMs, { signal }).catch(() => undefined);
      }
    });
    await sleep(beforeMs);
    for (const { name } of before) {
      await kubectl("delete", "pod", name, "--timeout=120s");
      await isReady(cluster, "greeter");
    }
  }
  const pods = [...before, ...(await podsOf(cluster, "greeter"))].map(({ ip }) => ip);
  const missing = () => answered.filter((trace) => !receiver.has(trace, pods)).length;
  await until(async () => missing() === 0, arriveMs, "all spans have come").catch(() => undefined);
  const lost = missing();
  report.check(
    `answered requests while ${before.length} pods ended: without the pod's span`,
    `${lost} of ${answered.length}`,
    "0",
    lost === 0 && answered.length > 0,
  );
  report.check("requests that failed meanwhile", `${failed}`, "0", failed === 0);
}

/** Takes spans by OTLP, and remembers which pod has sent what. */
async function receiveSpans() {
  const bodies: { readonly from: string; readonly bytes: Buffer }[] = [];
  const server = createServer((request, response) => {
    const from = (request.socket.remoteAddress ?? "").replace(/^::ffff:/, "");
    buffer(request).then(
      (body) => {
        bodies.push({ from, bytes: request.headers["content-encoding"] === "gzip" ? gunzipSync(body) : body });
        response.end();
      },
      () => response.destroy(),
    );
  });
  server.listen(0);
  await once(server, "listening");
  // Pods reach this process by an address of the node, whose network it shares.
  const node = Object.values(networkInterfaces())
    .flatMap((all) => all ?? [])
    .find(({ family, internal }) => family === "IPv4" && !internal);
  return {
    url: `http://${node?.address ?? "127.0.0.1"}:${(server.address() as AddressInfo).port}`,
    has(trace: string, pods: readonly string[]): boolean {
      const id = Buffer.from(trace, "hex");
      return bodies.some(({ from, bytes }) => pods.includes(from) && bytes.includes(id));
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      const closed = once(server, "close");
      server.close();
      await closed;
    },
  };
}
