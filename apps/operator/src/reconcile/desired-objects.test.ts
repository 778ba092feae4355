import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { parse, stringify } from "yaml";
import { BackendService } from "../resource/backend-service.ts";
import { desiredObjects } from "./desired-objects.ts";

const images = { collector: "otel/opentelemetry-collector:0.165.0", agent: "plumbline/operator:1.4.0" };

const resource = (name: string, spec: object) =>
  BackendService.parse({ metadata: { name, namespace: "shop", uid: "uid-1", generation: 1 }, spec });

const cases = {
  greeter: { image: "plumbline/greeter:1.4.0", ports: { grpc: 50_051 } },
  orders: {
    image: "plumbline/orders:1.4.0",
    ports: { grpc: 50_052 },
    replicas: { min: 3, max: 9, target: { metric: "rpc_requests_per_second", average: 50 } },
    settings: { "messaging.adapter": "kafka", "kafka.brokers": "kafka:9092", drainMs: "5000" },
    init: ["migrate"],
    secrets: [
      { name: "database", secretRef: "orders-database", settings: { "database.url": "url" } },
      { name: "tls", secretRef: "orders-tls", follow: "restart" },
    ],
  },
  traced: {
    image: "plumbline/orders:1.4.0",
    ports: { grpc: 50_052 },
    init: ["migrate"],
    tracing: { collector: "http://collector.observability:4318", sampleRatio: 0.1 },
  },
  agent: {
    image: "plumbline/orders:1.4.0",
    ports: { grpc: 50_052 },
    init: ["migrate"],
    secrets: [
      { name: "database", secretRef: "orders-database", follow: "agent", settings: { "database.url": "url" } },
      { name: "tls", secretRef: "orders-tls", follow: "agent" },
      { name: "license", secretRef: "orders-license", follow: "restart" },
    ],
  },
  closed: {
    image: "plumbline/orders:1.4.0",
    ports: { grpc: 50_052 },
    tracing: { collector: "https://collector.example" },
    secrets: [{ name: "tls", secretRef: "orders-tls", follow: "agent" }],
    network: {
      from: ["gateway"],
      to: [{ program: "postgres", port: 5_432 }, { cidr: "10.1.0.0/16", port: 9_092 }, { port: 8_443 }],
    },
  },
  edge: { image: "plumbline/gateway:1.4.0", program: "gateway", ports: { http: 8080, ops: 9470 } },
};

void describe("the objects of a resource", () => {
  for (const [name, spec] of Object.entries(cases)) {
    void test(`${name} has those of its golden`, () => {
      const objects = desiredObjects(resource(name, spec), new Map([["orders-tls", "812"]]), images);
      const path = join(import.meta.dirname, `golden/${name}.yaml`);
      if (process.env["UPDATE_GOLDENS"] === "1" || !existsSync(path)) {
        const documents = objects.map((object) => stringify(object, { aliasDuplicateObjects: false, lineWidth: 0 }));
        writeFileSync(path, documents.join("---\n"));
        assert.equal(process.env["UPDATE_GOLDENS"], "1", `${path} was missing and is written: read it`);
      }
      const golden = readFileSync(path, "utf8")
        .split(/^---\n/m)
        .map((text): unknown => parse(text));
      assert.deepEqual(JSON.parse(JSON.stringify(objects)), golden);
    });
  }

  void test("a new version of a Secret changes the pods of a resource that restarts for it alone", () => {
    const template = (spec: object, version: string) =>
      JSON.stringify(desiredObjects(resource("orders", spec), new Map([["orders-tls", version]]), images));
    const files = { ...cases.orders, secrets: [{ name: "tls", secretRef: "orders-tls" }] };
    assert.notEqual(template(cases.orders, "1"), template(cases.orders, "2"));
    assert.equal(template(files, "1"), template(files, "2"));
  });

  void test("without tracing there is no sidecar, and with it the program sends its spans to the pod itself", () => {
    const text = (spec: object) => JSON.stringify(desiredObjects(resource("orders", spec), new Map(), images));
    assert.doesNotMatch(text({ ...cases.traced, tracing: undefined }), /collector|restartPolicy|OTLP/);
    assert.match(text(cases.traced), /"ORDERS_TELEMETRY_OTLP_ENDPOINT","value":"http:\/\/127\.0\.0\.1:4318"/);
    assert.match(text(cases.traced), /"ORDERS_TELEMETRY_SAMPLE_RATIO","value":"0\.1"/);
  });

  void test("a Secret of init alone takes the place of the service's there, and the service does not get it", () => {
    const owner = {
      name: "owner",
      secretRef: "orders-owner-database",
      only: "init",
      settings: { "database.url": "url" },
    };
    const spec = { ...cases.orders, secrets: [owner, ...cases.orders.secrets] };
    const objects = desiredObjects(resource("orders", spec), new Map(), images);
    const deployment = objects.find(({ kind }) => kind === "Deployment") ?? assert.fail("there is no Deployment");
    const { template } = deployment["spec"] as {
      template: { spec: Record<"initContainers" | "containers", object[]> };
    };
    const service = JSON.stringify(template.spec.containers);
    assert.doesNotMatch(service, /owner/);
    assert.match(service, /"ORDERS_DATABASE_URL_FILE","value":"\/run\/plumbline\/secrets\/database\/url"/);
    const init = JSON.stringify(template.spec.initContainers);
    assert.match(init, /"ORDERS_DATABASE_URL_FILE","value":"\/run\/plumbline\/secrets\/owner\/url"/);
    assert.match(init, /"name":"secret-owner","mountPath"/);
    assert.match(init, /"name":"secret-tls","mountPath"/);
  });

  void test("the agent may read its own Secrets alone, and the program has no token", () => {
    const objects = desiredObjects(resource("orders", cases.agent), new Map(), images);
    const role = objects.find(({ kind }) => kind === "Role");
    assert.deepEqual(role?.["rules"], [
      {
        apiGroups: [""],
        resources: ["secrets"],
        resourceNames: ["orders-database", "orders-tls"],
        verbs: ["list", "watch"],
      },
    ]);
    const deployment = objects.find(({ kind }) => kind === "Deployment") ?? assert.fail("there is no Deployment");
    const { template } = deployment["spec"] as {
      template: { spec: Record<"initContainers" | "containers", { name: string; volumeMounts: { name: string }[] }[]> };
    };
    const holders = [...template.spec.initContainers, ...template.spec.containers]
      .filter(({ volumeMounts }) => volumeMounts.some(({ name }) => name.includes("token")))
      .map(({ name }) => name);
    assert.deepEqual(holders, ["plumbline-agent"]);
    assert.equal(template.spec.initContainers[0]?.name, "plumbline-agent");
  });

  void test("a resource that says nothing about its network has no policy, and one without callers lets none in", () => {
    const policy = (network?: object) =>
      desiredObjects(resource("greeter", { ...cases.greeter, network }), new Map(), images).find(
        ({ kind }) => kind === "NetworkPolicy",
      )?.["spec"] as { ingress: object[]; egress: object[] } | undefined;
    assert.equal(policy(), undefined);
    const ops = { ports: [{ protocol: "TCP", port: 9464 }] };
    assert.deepEqual(policy({ from: [] })?.ingress, [ops]);
    assert.deepEqual(policy({})?.ingress, [{ ports: [{ protocol: "TCP", port: 50_051 }] }, ops]);
    assert.equal(policy({})?.egress.length, 1);
  });

  void test("no object has a number of replicas", () => {
    for (const [name, spec] of Object.entries(cases)) {
      assert.doesNotMatch(JSON.stringify(desiredObjects(resource(name, spec), new Map(), images)), /"replicas"/);
    }
  });
});
