import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { BackendService } from "../resource/backend-service.ts";
import { statusOf } from "./status-of.ts";

const resource = (spec: object = {}, status?: object) =>
  BackendService.parse({
    metadata: { name: "greeter", namespace: "shop", uid: "uid-1", generation: 3 },
    spec: { image: "plumbline/greeter:1", ports: { grpc: 50_051 }, ...spec },
    status,
  });
const deployment = (status: object, replicas = 2) => ({
  metadata: { name: "greeter", generation: 5 },
  spec: { replicas },
  status: { observedGeneration: 5, ...status },
});
const full = { replicas: 2, updatedReplicas: 2, availableReplicas: 2 };
const words = (status: ReturnType<typeof statusOf>) =>
  Object.fromEntries((status.conditions ?? []).map(({ type, status: is, reason }) => [type, `${is} ${reason}`]));

void describe("the status of a resource", () => {
  for (const { what, findings, want } of [
    { what: "without a Deployment", findings: { deployment: undefined }, want: "False Unavailable" },
    { what: "with all pods", findings: { deployment: deployment(full) }, want: "True Available" },
    {
      what: "whose Deployment was not looked at yet",
      findings: { deployment: deployment({ ...full, observedGeneration: 4 }) },
      want: "False Unavailable",
    },
    {
      what: "with a pod of the last version",
      findings: { deployment: deployment({ ...full, replicas: 3 }) },
      want: "False Unavailable",
    },
    {
      what: "with fewer pods than its minimum",
      findings: { deployment: deployment({ replicas: 1, updatedReplicas: 1, availableReplicas: 1 }, 1) },
      want: "False Unavailable",
    },
    {
      what: "with a refused object",
      findings: { deployment: deployment(full), refusal: "spec.image is wrong" },
      want: "False Refused",
    },
  ]) {
    void test(`${what} is Ready=${want}`, () => {
      const status = statusOf(resource(), { versions: new Map(), ...findings }, "now");
      assert.equal(words(status)["Ready"], want);
      assert.equal(status.observedGeneration, 3);
    });
  }

  void test("a rollout that makes no progress is stalled, and says what to look at", () => {
    const conditions = [
      { type: "Progressing", status: "False", reason: "ProgressDeadlineExceeded", message: "timed out" },
    ];
    const status = statusOf(
      resource(),
      { deployment: deployment({ replicas: 1, conditions }), versions: new Map() },
      "now",
    );
    assert.equal(words(status)["Stalled"], "True NoProgress");
    assert.match(status.conditions?.find(({ type }) => type === "Stalled")?.message ?? "", /events and logs/);
  });

  void test("a missing Secret is named, with what to do", () => {
    const secrets = [
      { name: "tls", secretRef: "greeter-tls" },
      { name: "key", secretRef: "greeter-key" },
    ];
    const status = statusOf(
      resource({ secrets }),
      { deployment: undefined, versions: new Map([["greeter-key", "7"]]) },
      "now",
    );
    assert.equal(words(status)["SecretsInSync"], "False Missing");
    assert.match(
      status.conditions?.find(({ type }) => type === "SecretsInSync")?.message ?? "",
      /without the Secrets greeter-tls: create them in the namespace shop/,
    );
    assert.deepEqual(status.secrets, [{ name: "key", resourceVersion: "7" }]);
  });

  void test("the pods that are behind with a Secret of the agent are named, each with its version", () => {
    const spec = { secrets: [{ name: "tls", secretRef: "greeter-tls", follow: "agent" }] };
    const versions = new Map([["greeter-tls", "8"]]);
    const pod = (name: string, version?: string) => ({
      name,
      versions: new Map(version === undefined ? [] : [["tls", version]]),
    });
    const of = (...pods: ReturnType<typeof pod>[]) =>
      statusOf(resource(spec), { deployment: deployment(full), versions, pods }, "now");
    const late = of(pod("a", "8"), pod("b", "7"), pod("c"));
    assert.equal(words(late)["SecretsInSync"], "False Delivering");
    assert.match(JSON.stringify(late.conditions), /tls: 1 pods have the present version, and not b, c/);
    assert.deepEqual(late.secrets, [
      { name: "tls", resourceVersion: "8", deliveredTo: 1, behind: [{ pod: "b", resourceVersion: "7" }, { pod: "c" }] },
    ]);
    const synced = of(pod("a", "8"), pod("b", "8"));
    assert.equal(words(synced)["SecretsInSync"], "True Found");
    assert.deepEqual(synced.secrets, [{ name: "tls", resourceVersion: "8", deliveredTo: 2 }]);
    assert.equal(words(of())["SecretsInSync"], "False Delivering");
    const many = of(...Array.from({ length: 1_000 }, (_, index) => pod(`pod-${index}`)));
    assert.equal(many.secrets?.[0]?.behind?.length, 20);
  });

  const traced = { tracing: { collector: "http://collector:4318" } };
  const sidecar = { name: "plumbline-collector", restartPolicy: "Always" };
  for (const { what, spec, status = full, initContainers, want } of [
    { what: "without sidecars", spec: {}, initContainers: [], want: undefined },
    { what: "whose Deployment has no sidecar yet", spec: traced, initContainers: [], want: "False RollingOut" },
    {
      what: "with pods of the last version",
      spec: traced,
      status: { ...full, replicas: 3 },
      initContainers: [sidecar],
      want: "False RollingOut",
    },
    { what: "whose pods have it", spec: traced, initContainers: [sidecar], want: "True Injected" },
    {
      what: "in a cluster that runs no sidecars",
      spec: traced,
      initContainers: [{ name: sidecar.name }],
      want: "False Unsupported",
    },
  ]) {
    void test(`${what} is SidecarsInjected=${want}`, () => {
      const found = deployment(status);
      const template = { spec: { initContainers } };
      const findings = { deployment: { ...found, spec: { ...found.spec, template } }, versions: new Map() };
      assert.equal(words(statusOf(resource(spec), findings, "now"))["SidecarsInjected"], want);
    });
  }

  void test("a condition keeps its time until it changes", () => {
    const findings = { deployment: deployment(full), versions: new Map() };
    const first = statusOf(resource(), findings, "2026-01-01T00:00:00Z");
    const second = statusOf(resource({}, first), findings, "2026-01-02T00:00:00Z");
    assert.deepEqual(second, first);
    const third = statusOf(resource({}, second), { ...findings, deployment: undefined }, "2026-01-03T00:00:00Z");
    const times = Object.fromEntries(
      (third.conditions ?? []).map(({ type, lastTransitionTime }) => [type, lastTransitionTime.slice(0, 10)]),
    );
    assert.deepEqual(times, {
      Ready: "2026-01-03",
      Progressing: "2026-01-03",
      SecretsInSync: "2026-01-01",
      Stalled: "2026-01-01",
    });
  });
});
