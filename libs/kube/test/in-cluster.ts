/**
 * Runs inside the network of a real cluster: the resolver against the suite, and the API server's
 * own answers. `src/cluster.test.ts` starts it.
 */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { promisify } from "node:util";
import type { Address } from "@plumbline/rpc/discovery";
import { discoveryConformance } from "@plumbline/rpc/discovery/conformance";
import { proxyTo } from "@plumbline/tools-engines";
import { kubeconfig } from "../src/access.ts";
import { Kube } from "../src/kube.ts";
import { kubernetesResolver } from "../src/resolver.ts";

const run = promisify(execFile);
const access = kubeconfig(process.env["KUBECONFIG"] ?? "");
const namespace = `plumbline-kube-${process.pid}`;

/** Runs kubectl with a manifest. */
async function kubectl(args: readonly string[], manifest?: object): Promise<void> {
  const started = run("kubectl", [...args, ...(manifest === undefined ? [] : ["-f", "-"])]);
  started.child.stdin?.end(manifest === undefined ? "" : JSON.stringify(manifest));
  await started;
}

const Nodes = { path: "/api/v1/nodes" };

async function nodeAddress(): Promise<string> {
  const { objects } = await new Kube({ access }).list(Nodes);
  const status = objects[0]?.["status"] as { readonly addresses: readonly { type: string; address: string }[] };
  return status.addresses.find(({ type }) => type === "InternalIP")?.address ?? assert.fail("the node has no address");
}

const node = await nodeAddress();
await kubectl(["create", "namespace", namespace]);
test.after(() => kubectl(["delete", "namespace", namespace, "--wait=false"]));
let services = 0;

discoveryConformance({
  name: "kubernetes",
  hosts: [node, node, node],
  samePort: false,
  open: async (servers) => {
    const service = `who-${services++}`;
    const { url } = await access();
    const proxy = await proxyTo(url.replace("https:", "http:"));
    const through = async () => ({ ...(await access()), url: proxy.url.replace("http:", "https:") });
    const set = async (addresses: readonly Address[]): Promise<void> => {
      const items = servers.map((server, index) => slice(service, index, server, addresses.includes(server)));
      await kubectl(["apply", "--namespace", namespace], { apiVersion: "v1", kind: "List", items });
    };
    await set([]);
    return {
      resolver: kubernetesResolver(new Kube({ access: through })),
      target: `kubernetes:///${service}.${namespace}:grpc`,
      set,
      break: async () => proxy.cut(),
      mute: async () => proxy.freeze(),
      restore: async () => proxy.restore(),
      [Symbol.asyncDispose]: () => proxy[Symbol.asyncDispose](),
    };
  },
});

function slice(service: string, index: number, { host, port }: Address, ready: boolean): object {
  return {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: { name: `${service}-${index}`, labels: { "kubernetes.io/service-name": service } },
    addressType: "IPv4",
    endpoints: [{ addresses: [host], conditions: { ready } }],
    ports: [{ name: "grpc", port, protocol: "TCP" }],
  };
}

void test("the API server ends a watch before it counts as silent", async () => {
  const kube = new Kube({ access, watchMs: 3_000, graceMs: 2_000 });
  const { version } = await kube.list(Nodes);
  await Array.fromAsync(kube.events(Nodes, version, { signal: AbortSignal.timeout(10_000) }));
});
