/**
 * Runs inside the network of a real cluster: the operator against its API server, behind a proxy
 * that counts. `src/cluster.test.ts` starts it. Pods need not start: their images are not there.
 */
import assert from "node:assert/strict";
import { after, describe, type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Kube, type KubeObject, kubeconfig, type Resource, resourceOf } from "@plumbline/kube";
import { startTelemetry } from "@plumbline/telemetry";
import { type ApiProxy, eventually, proxyToApi } from "@plumbline/tools-engines";
import { runOperator } from "../src/operator.ts";
import { apiVersion, kind, plural } from "../src/resource/backend-service.ts";
import { definition } from "../src/resource/definition.ts";

const access = kubeconfig(process.env["KUBECONFIG"] ?? "");
const kube = new Kube({ access });
const manager = "operator-test";
const images = { collector: "plumbline/none:1", agent: "plumbline/operator:1.4.0" };
const namespaces = resourceOf("v1", "namespaces");
const namespace = `operator-app-${process.pid}`;
const services = resourceOf(apiVersion, plural, namespace);
const of = (api: string, name: string) => resourceOf(api, name, namespace);
const deployments = of("apps/v1", "deployments");
const owned: readonly (readonly [string, Resource])[] = [
  ["ServiceAccount", of("v1", "serviceaccounts")],
  ["Service", of("v1", "services")],
  ["PodDisruptionBudget", of("policy/v1", "poddisruptionbudgets")],
  ["Deployment", deployments],
  ["HorizontalPodAutoscaler", of("autoscaling/v2", "horizontalpodautoscalers")],
];

const crd = definition() as unknown as KubeObject;
const definitions = resourceOf("apiextensions.k8s.io/v1", "customresourcedefinitions");
await kube.apply(definitions, crd, { manager, force: true });
await kube.create(namespaces, { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } });
after(() => kube.delete(namespaces, namespace));
await eventually(
  () =>
    kube.list(services).then(
      () => true,
      () => false,
    ),
  (isServed) => isServed,
);

const telemetry = startTelemetry({ service: "operator", logLevel: "error", otlpLogs: false, sampleRatio: 1 });

async function startOperator(t: TestContext): Promise<ApiProxy> {
  const proxy = await proxyToApi(access);
  const through = new Kube({ access: async () => ({ url: proxy.url, namespace }) });
  const stop = new AbortController();
  const options = { namespaces: [namespace], identity: "test", resyncMs: 600_000, images };
  const running = runOperator({ reader: through, writer: through }, options, telemetry, { signal: stop.signal });
  t.after(async () => {
    stop.abort();
    await running;
    await proxy[Symbol.asyncDispose]();
  });
  return proxy;
}

const spec = { image: "plumbline/none:1", ports: { grpc: 50_051 } };
const put = (name: string, more: object = {}) =>
  kube.apply(services, { apiVersion, kind, metadata: { name }, spec: { ...spec, ...more } }, { manager, force: true });
const found = (resource: Resource, name: string) => kube.get(resource, name).catch(() => undefined);
const condition = async (name: string, type: string) => {
  const status = (await kube.get(services, name))["status"] as
    | { conditions?: { type: string; status: string; reason: string; message: string }[] }
    | undefined;
  return status?.conditions?.find((one) => one.type === type);
};
const made = (name: string) =>
  eventually(
    async () =>
      (await Promise.all(owned.map(([, resource]) => found(resource, name)))).filter((one) => one !== undefined).length,
    (count) => count === owned.length,
    60_000,
  );
const writesOf = (proxy: ApiProxy) => proxy.requests.filter(({ method }) => method !== "GET");

void describe("the operator against a real API server", { timeout: 300_000 }, () => {
  void test("makes all objects of a resource, with a status for its generation", async (t) => {
    await startOperator(t);
    await put("made");
    await made("made");
    const ready = await eventually(
      () => condition("made", "Ready"),
      (one) => one !== undefined,
    );
    assert.equal(ready?.status, "False");
    const { status } = (await kube.get(services, "made")) as unknown as { status: { observedGeneration: number } };
    assert.equal(status.observedGeneration, 1);
  });

  void test("restores each object that is deleted or edited, within 5 s", async (t) => {
    await startOperator(t);
    await put("kept");
    await made("kept");
    for (const [what, resource] of owned) {
      const { uid } = (await kube.get(resource, "kept")).metadata;
      await kube.delete(resource, "kept");
      const deletedAt = performance.now();
      await eventually(
        () => found(resource, "kept"),
        (one) => one !== undefined && one.metadata.uid !== uid,
      );
      t.diagnostic(`${what} restored in ${Math.round(performance.now() - deletedAt)} ms`);
    }
    const edits: readonly (readonly [string, Resource, object, (object: KubeObject) => unknown, unknown])[] = [
      [
        "image",
        deployments,
        { spec: { template: { spec: { enableServiceLinks: true } } } },
        (one) => at(one, "spec", "template", "spec", "enableServiceLinks"),
        false,
      ],
      [
        "maximum",
        of("autoscaling/v2", "horizontalpodautoscalers"),
        { spec: { maxReplicas: 99 } },
        (one) => at(one, "spec", "maxReplicas"),
        6,
      ],
      [
        "label",
        of("v1", "services"),
        { metadata: { name: "kept", labels: { "app.kubernetes.io/managed-by": "me" } } },
        (one) => at(one, "metadata", "labels", "app.kubernetes.io/managed-by"),
        "plumbline-operator",
      ],
    ];
    for (const [what, resource, edit, read, want] of edits) {
      const { apiVersion: api, kind: k } = objectsKind(resource);
      await kube.apply(
        resource,
        { apiVersion: api, kind: k, metadata: { name: "kept" }, ...edit },
        {
          manager: "someone",
          force: true,
        },
      );
      const editedAt = performance.now();
      await eventually(
        async () => read(await kube.get(resource, "kept")),
        (value) => value === want,
      );
      t.diagnostic(`${what} restored in ${Math.round(performance.now() - editedAt)} ms`);
    }
  });

  void test("leaves annotations of users and the number of replicas alone", async (t) => {
    await startOperator(t);
    // At its minimum from the start: the autoscaler would write another number at any moment.
    const replicas = { min: 1 };
    await put("shared", { replicas });
    await made("shared");
    const others = { metadata: { name: "shared", annotations: { "example.com/mine": "yes" } }, spec: { replicas: 5 } };
    await kube.apply(
      deployments,
      { apiVersion: "apps/v1", kind: "Deployment", ...others },
      { manager: "someone", force: true },
    );
    await put("shared", { image: "plumbline/none:2", replicas });
    const deployment = await eventually(
      () => kube.get(deployments, "shared"),
      (one) => JSON.stringify(one).includes("plumbline/none:2"),
    );
    assert.equal(at(deployment, "spec", "replicas"), 5);
    assert.equal(at(deployment, "metadata", "annotations", "example.com/mine"), "yes");
  });

  void test("takes over nothing that somebody else has made, and says what to do", async (t) => {
    await startOperator(t);
    const theirs = { apiVersion: "v1", kind: "ServiceAccount", metadata: { name: "taken" } };
    await kube.apply(of("v1", "serviceaccounts"), theirs, { manager: "someone" });
    await put("taken");
    const stalled = await eventually(
      () => condition("taken", "Stalled"),
      (one) => one?.status === "True",
    );
    assert.match(stalled?.message ?? "", /ServiceAccount taken exists and has no owner: delete it, or give/);
    await kube.delete(of("v1", "serviceaccounts"), "taken");
    await made("taken");
  });

  void test("replaces pods when a Secret that is followed by restart changes", async (t) => {
    await startOperator(t);
    const secrets = of("v1", "secrets");
    const version = async () => {
      const deployment = await found(deployments, "secret");
      return at(deployment, "spec", "template", "metadata", "annotations", "plumbline.dev/secret-tls");
    };
    await put("secret", { secrets: [{ name: "tls", secretRef: "secret-tls", follow: "restart" }] });
    await eventually(version, (value) => value === "missing");
    const sync = await eventually(
      () => condition("secret", "SecretsInSync"),
      (one) => one?.status === "False",
    );
    assert.match(sync?.message ?? "", /create them in the namespace/);
    for (const value of ["one", "two"]) {
      const secret = { apiVersion: "v1", kind: "Secret", metadata: { name: "secret-tls" }, stringData: { key: value } };
      const { metadata } = await kube.apply(secrets, secret, { manager, force: true });
      await eventually(version, (seen) => seen === metadata.resourceVersion);
    }
  });

  void test("deletes a policy and the right of an agent when the resource no longer asks for them", async (t) => {
    await startOperator(t);
    const group = "rbac.authorization.k8s.io/v1";
    const kinds = [of(group, "roles"), of(group, "rolebindings"), of("networking.k8s.io/v1", "networkpolicies")];
    const count = async () => (await Promise.all(kinds.map((one) => found(one, "agent")))).filter(Boolean).length;
    await put("agent", {
      secrets: [{ name: "tls", secretRef: "agent-tls", follow: "agent" }],
      network: {
        from: ["gateway"],
        to: [
          { program: "postgres", port: 5432 },
          { cidr: "10.0.0.0/8", port: 443 },
        ],
      },
    });
    await eventually(count, (seen) => seen === 3);
    await put("agent");
    await eventually(count, (seen) => seen === 0);
  });

  void test("writes nothing at rest", async (t) => {
    const proxy = await startOperator(t);
    const names = Array.from({ length: 10 }, (_, index) => `rest-${index}`);
    await Promise.all(names.map((name) => put(name)));
    for (const name of names) await made(name);
    await quiet(proxy);
    // Pods of earlier tests may still end, which changes the status of their resources.
    const writes = () => writesOf(proxy).filter(({ path }) => names.some((name) => path.includes(`/${name}`)));
    const before = writes().length;
    assert.ok(before >= names.length, `${before} writes`);
    await sleep(20_000);
    assert.deepEqual(writes().slice(before), []);
  });

  void test("leaves nothing behind when a resource is deleted", async (t) => {
    await startOperator(t);
    await put("gone");
    await made("gone");
    await kube.delete(services, "gone");
    await eventually(
      async () =>
        (await Promise.all(owned.map(([, resource]) => found(resource, "gone")))).filter((one) => one !== undefined)
          .length,
      (count) => count === 0,
      60_000,
    );
  });
});

void describe("the definition", { timeout: 60_000 }, () => {
  for (const [what, more, field] of [
    ["a port too many", { ports: { grpc: 1, http: 2 } }, /spec\.ports.*give one of grpc and http/],
    ["no port", { ports: {} }, /give one of grpc and http/],
    ["a port out of range", { ports: { grpc: 70_000 } }, /spec\.ports\.grpc/],
    ["the same port twice", { ports: { grpc: 9464 } }, /ops needs a port of its own/],
    ["a minimum above the maximum", { replicas: { min: 7, max: 6 } }, /min must not be more than max/],
    ["no pods", { replicas: { min: 0 } }, /spec\.replicas\.min/],
    ["a memory that is no quantity", { resources: { memory: "a lot" } }, /expected quantities/],
    ["an empty image", { image: "" }, /spec\.image/],
    [
      "two secrets of one name",
      {
        secrets: [
          { name: "a", secretRef: "b" },
          { name: "a", secretRef: "c" },
        ],
      },
      /duplicate|Duplicate/,
    ],
    ["a collector without a scheme", { tracing: { collector: "collector:4318" } }, /spec\.tracing\.collector/],
    ["a collector with a variable", { tracing: { collector: "http://${env:HOME}" } }, /spec\.tracing\.collector/],
    [
      "a share of traces above 1",
      { tracing: { collector: "http://collector:4318", sampleRatio: 2 } },
      /spec\.tracing\.sampleRatio/,
    ],
    [
      "a port of the sidecar",
      { ports: { grpc: 4318 }, tracing: { collector: "http://collector:4318" } },
      /the ports 4318 and 13133 belong to the sidecar/,
    ],
    [
      "a port of the agent",
      { ports: { grpc: 9480 }, secrets: [{ name: "tls", secretRef: "tls", follow: "agent" }] },
      /the port 9480 belongs to the sidecar/,
    ],
    [
      "a peer of two kinds",
      { network: { to: [{ program: "a", cidr: "10.0.0.0/8", port: 1 }] } },
      /spec\.network\.to.*give one of program and cidr/,
    ],
    ["a peer without a port", { network: { to: [{ program: "a" }] } }, /spec\.network\.to\[0\]\.port/],
    [
      "a setting that tracing sets",
      { settings: { "telemetry.sampleRatio": "1" }, tracing: { collector: "http://collector:4318" } },
      /remove them from settings/,
    ],
    [
      "a Secret of init alone that changes",
      { init: ["migrate"], secrets: [{ name: "a", secretRef: "b", only: "init", follow: "agent" }] },
      /a Secret of init alone is read once: remove follow/,
    ],
    [
      "a Secret of init alone without init",
      { secrets: [{ name: "a", secretRef: "b", only: "init" }] },
      /a Secret of init alone needs programs in init/,
    ],
    ["an unknown way to follow", { secrets: [{ name: "a", secretRef: "b", follow: "never" }] }, /follow/],
  ] as const) {
    void test(`${what} is refused with the field`, async () => {
      await assert.rejects(put("wrong", more), (error: Error) => {
        assert.match(error.message, field);
        return true;
      });
    });
  }
});

/** Resolves when no write was sent for 3 s. */
async function quiet(proxy: ApiProxy): Promise<void> {
  await eventually(
    () => performance.now() - (writesOf(proxy).at(-1)?.at ?? 0),
    (ms) => ms > 3_000,
    60_000,
  );
}

function objectsKind(resource: Resource): { readonly apiVersion: string; readonly kind: string } {
  const name = owned.find(([, one]) => one.path === resource.path)?.[0] ?? "";
  const group = /\/(?:api|apis)\/(.+)\/namespaces/.exec(resource.path)?.[1] ?? "";
  return { apiVersion: group, kind: name };
}

function at(value: unknown, ...path: readonly string[]): unknown {
  return path.reduce<unknown>((inner, key) => (inner as Readonly<Record<string, unknown>> | undefined)?.[key], value);
}
