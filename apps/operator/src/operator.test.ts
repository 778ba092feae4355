import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { Kube } from "@plumbline/kube";
import { startTelemetry } from "@plumbline/telemetry";
import { eventually } from "@plumbline/tools-engines";
import { startMemoryCluster } from "../test/memory-cluster.ts";
import { serveVersions } from "./agent/serve-versions.ts";
import { runOperator } from "./operator.ts";
import type { BackendServiceStatus } from "./resource/backend-service.ts";

const of = (group: string, plural: string) => `${group}/namespaces/shop/${plural}`;
const services = of("/apis/plumbline.dev/v1alpha1", "backendservices");
const secrets = of("/api/v1", "secrets");
const pods = of("/api/v1", "pods");
const deployment = of("/apis/apps/v1", "deployments/greeter");
const role = of("/apis/rbac.authorization.k8s.io/v1", "roles/greeter");
const binding = of("/apis/rbac.authorization.k8s.io/v1", "rolebindings/greeter");
const policy = of("/apis/networking.k8s.io/v1", "networkpolicies/greeter");
const withAgent = { secrets: [{ name: "tls", secretRef: "greeter-tls", follow: "agent" }] };

function metadataOf(name: string, labels: Readonly<Record<string, string>>) {
  return { name, namespace: "shop", labels };
}

/** Starts an operator of a cluster in memory. Its agents listen on the port that is given. */
async function open(t: TestContext, agentPort?: number) {
  const cluster = await startMemoryCluster();
  const telemetry = startTelemetry({ service: "operator", logLevel: "error", otlpLogs: false, sampleRatio: 1 });
  const kube = new Kube({ access: async () => ({ url: cluster.url, namespace: "shop" }) });
  const images = { collector: "collector:1", agent: "agent:1" };
  const options = { namespaces: ["shop"], identity: "test", resyncMs: 600_000, images };
  const stop = new AbortController();
  const running = runOperator(
    { reader: kube, writer: kube },
    agentPort === undefined ? options : { ...options, agentPort },
    telemetry,
    { signal: stop.signal },
  );
  t.after(async () => {
    stop.abort();
    await running;
    await cluster[Symbol.asyncDispose]();
    await telemetry[Symbol.asyncDispose]();
  });
  const put = (more: object = {}) =>
    cluster.put(services, {
      apiVersion: "plumbline.dev/v1alpha1",
      kind: "BackendService",
      metadata: { name: "greeter", namespace: "shop" },
      spec: { image: "plumbline/greeter:1", ports: { grpc: 50_051 }, ...more },
    });
  const status = () => cluster.get(`${services}/greeter`)?.["status"] as BackendServiceStatus | undefined;
  const condition = (type: string) => {
    const found = status()?.conditions?.find((one) => one.type === type);
    return found === undefined ? undefined : `${found.status} ${found.reason}`;
  };
  const there = (...paths: readonly string[]) =>
    eventually(() => paths.every((path) => cluster.get(path) !== undefined), Boolean);
  return { cluster, put, status, condition, there };
}

void describe("an operator of a cluster in memory", { timeout: 120_000 }, () => {
  void test("makes the objects of a resource, and writes nothing more once they are there", async (t) => {
    const { cluster, put, status, condition, there } = await open(t);
    put();
    await there(deployment);
    await eventually(
      () => condition("Ready"),
      (ready) => ready === "False Unavailable",
    );
    assert.equal(cluster.get(role), undefined);
    let writes = -1;
    while (writes !== cluster.writes.length) {
      writes = cluster.writes.length;
      await settle(1_000);
    }
    // Changes by others are looked at, and nothing is written for them.
    const found = cluster.get(deployment) ?? assert.fail();
    cluster.put(deployment.replace("/greeter", ""), { ...found, status: { replicas: 0 } });
    cluster.put(secrets, { metadata: { name: "other" } });
    await settle();
    // Nor for an old status, as a watch that is behind brings it.
    const old = cluster.get(`${services}/greeter`) ?? assert.fail();
    const { conditions = [], ...others } = status() ?? assert.fail();
    const before = conditions.map((one) => ({ ...one, lastTransitionTime: "2026-01-01T00:00:00Z" }));
    cluster.put(services, { ...old, status: { ...others, conditions: before } });
    await settle();
    assert.equal(cluster.writes.length, writes, cluster.writes.slice(writes).join(", "));
  });

  void test("makes again what is deleted", async (t) => {
    const { cluster, put, there } = await open(t);
    put();
    await there(deployment);
    const { uid } = cluster.get(deployment)?.metadata ?? {};
    cluster.delete(deployment);
    await eventually(
      () => cluster.get(deployment)?.metadata.uid,
      (found) => found !== undefined && found !== uid,
    );
  });

  void test("deletes what a resource no longer asks for, and nothing that it does not own", async (t) => {
    const { cluster, put, status, there } = await open(t);
    put({ ...withAgent, network: { from: [] } });
    await there(role, binding, policy);
    put();
    await eventually(
      () => [role, binding, policy].filter((path) => cluster.get(path) !== undefined).length,
      (left) => left === 0,
    );
    const labels = { "app.kubernetes.io/managed-by": "plumbline-operator" };
    cluster.put(policy.replace("/greeter", ""), { metadata: metadataOf("greeter", labels) });
    await settle();
    const { generation } = put({ image: "plumbline/greeter:2" }).metadata;
    await eventually(status, (found) => found?.observedGeneration === generation);
    assert.notEqual(cluster.get(policy), undefined);
  });

  void test("asks the agents that are behind, and says which pods have which version", async (t) => {
    const versions = new Map<string, string>();
    const agent = await serveVersions(0, ["tls"], versions);
    t.after(() => agent[Symbol.asyncDispose]());
    const { cluster, put, status, condition, there } = await open(t, agent.port);
    const labels = { "plumbline.dev/agent": "true", "app.kubernetes.io/instance": "greeter" };
    cluster.put(pods, { metadata: metadataOf("greeter-a", labels), status: { podIP: "127.0.0.1" } });
    cluster.put(pods, { metadata: metadataOf("greeter-b", labels), status: {} });
    const { resourceVersion = "" } = cluster.put(secrets, { metadata: { name: "greeter-tls" } }).metadata;
    put(withAgent);
    await there(role, deployment);
    await eventually(
      () => status()?.secrets?.[0],
      (secret) => secret?.behind?.length === 2,
    );
    assert.equal(condition("SecretsInSync"), "False Delivering");
    versions.set("tls", resourceVersion);
    await eventually(
      () => status()?.secrets?.[0]?.deliveredTo,
      (count) => count === 1,
    );
    assert.deepEqual(status()?.secrets?.[0]?.behind, [{ pod: "greeter-b" }]);
    cluster.put(pods, { metadata: metadataOf("greeter-b", labels), status: { podIP: "127.0.0.1" } });
    await eventually(
      () => condition("SecretsInSync"),
      (found) => found === "True Found",
    );
    const next = cluster.put(secrets, { metadata: { name: "greeter-tls" }, data: { rotated: "" } });
    await eventually(
      () => condition("SecretsInSync"),
      (found) => found === "False Delivering",
    );
    assert.deepEqual(status()?.secrets?.[0]?.behind, [
      { pod: "greeter-a", resourceVersion },
      { pod: "greeter-b", resourceVersion },
    ]);
    // The status is a change too, for which agents are asked once more.
    await settle();
    versions.set("tls", next.metadata.resourceVersion ?? "");
    await eventually(
      () => condition("SecretsInSync"),
      (found) => found === "True Found",
    );
    assert.deepEqual(status()?.secrets?.[0], {
      name: "tls",
      resourceVersion: next.metadata.resourceVersion,
      deliveredTo: 2,
    });
  });
});

/** Waits until a change is seen. Too short a wait can hide a mistake, and not invent one. */
function settle(ms = 300): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
