import assert from "node:assert/strict";
import test from "node:test";
import { allows, type Flow, type Peer } from "./network-flows.ts";
import { whyNoHelm } from "./programs.ts";
import { type KubeObject, render } from "./render.ts";

const skip = whyNoHelm();
if (skip !== false) console.log(`NOT TESTED: flows that the chart's NetworkPolicies allow, because ${skip}`);

const namespace = "shop";
const pod = (name: string, where: string, labels: Peer["labels"] = {}): Peer => ({ name, namespace: where, labels });

/** Everything that may want to talk: the services as rendered, engines, and strangers. */
function peersOf(objects: readonly KubeObject[]): readonly Peer[] {
  const services = objects.flatMap(({ kind, spec }) => {
    const labels = kind === "Deployment" ? spec?.template?.metadata.labels : undefined;
    return labels === undefined ? [] : [pod(labels["app.kubernetes.io/name"] ?? "", namespace, labels)];
  });
  return [
    ...services,
    ...["postgres", "kafka", "redis", "supplier", "issuer", "stranger"].map((name) =>
      pod(name, namespace, { "app.kubernetes.io/name": name }),
    ),
    pod("dns", "kube-system", { "k8s-app": "kube-dns" }),
    pod("other-dns", "elsewhere", {}),
    pod("prometheus", "monitoring"),
    pod("api-server", "api"),
    { name: "internet", labels: {} },
  ];
}

const ports = [53, 80, 443, 5432, 6379, 6443, 8000, 8080, 8090, 8091, 9092, 9464, 18_000, 50_051, 50_052, 50_053];

/** Returns each allowed flow from or to a service as "from > to:port". */
function allowedFlows(...values: readonly object[]): readonly string[] {
  const { objects } = render(...values);
  const peers = peersOf(objects);
  const ours = new Set(["gateway", "greeter", "orders", "worker", "control-plane", "envoy"]);
  const found: string[] = [];
  for (const from of peers)
    for (const to of peers)
      for (const port of ports)
        for (const protocol of ["TCP", "UDP"] as const) {
          if (from === to || (!ours.has(from.name) && !ours.has(to.name))) continue;
          const flow: Flow = { from, to, port, protocol };
          if (allows(objects, namespace, flow)) found.push(`${from.name} > ${to.name}:${port} ${protocol}`);
        }
  return found;
}

const engine = (name: string) => ({ to: [{ podSelector: { matchLabels: { engine: name } } }] });
/** Peers that are named, so that an engine's port is open to that engine alone. */
const named = {
  networkPolicy: {
    ingress: { from: [{ namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "ingress" } } }] },
    metrics: { from: [{ namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "monitoring" } } }] },
    postgres: engine("postgres"),
    kafka: engine("kafka"),
    redis: engine("redis"),
    suppliers: engine("supplier"),
    issuer: engine("issuer"),
  },
};

test("the allowed flows between services are exactly the arrows of the architecture", { skip }, () => {
  const services = new Set(["gateway", "greeter", "orders", "worker"]);
  const between = allowedFlows().filter((flow) => {
    const [from = "", to = ""] = flow.split(/ > |:/);
    return services.has(from) && services.has(to);
  });
  assert.deepEqual(
    between.filter((flow) => !flow.includes(":9464") && !/:(80|443|8080) /.test(flow)),
    ["gateway > greeter:50051 TCP", "gateway > orders:50052 TCP", "gateway > worker:50053 TCP"],
  );
});

test("with named peers nothing but DNS, the arrows and Prometheus passes", { skip }, () => {
  const dns = ["gateway", "greeter", "orders", "worker"].flatMap((name) => [
    `${name} > dns:53 TCP`,
    `${name} > dns:53 UDP`,
  ]);
  const metrics = ["gateway", "greeter", "orders", "worker"].map((name) => `prometheus > ${name}:9464 TCP`);
  assert.deepEqual(
    allowedFlows(named).toSorted(),
    [
      ...dns,
      ...metrics,
      "gateway > greeter:50051 TCP",
      "gateway > orders:50052 TCP",
      "gateway > worker:50053 TCP",
    ].toSorted(),
  );
});

test("each engine's port is open to the services that use it, and to no other", { skip }, () => {
  const flows = allowedFlows().filter((flow) => / > (postgres|kafka|redis|internet):/.test(flow));
  const used = (port: number) =>
    [...new Set(flows.filter((flow) => flow.includes(`:${port} TCP`)).map((flow) => flow.split(" > ")[0]))].toSorted();
  assert.deepEqual(used(5432), ["orders", "worker"]);
  assert.deepEqual(used(9092), ["orders", "worker"]);
  assert.deepEqual(used(6379), ["gateway"]);
  assert.deepEqual(used(443), ["gateway", "worker"]);
});

test("the gateway reaches its issuer, and no port of one if it names none", { skip }, () => {
  const issuer = { to: [{ podSelector: { matchLabels: { "app.kubernetes.io/name": "issuer" } } }], ports: [8091] };
  const flows = (settings: object) =>
    allowedFlows(named, { services: { gateway: { settings } }, networkPolicy: { issuer } }).filter((flow) =>
      flow.includes(" > issuer:"),
    );
  assert.deepEqual(flows({}), ["gateway > issuer:8091 TCP"]);
  assert.deepEqual(flows({ auth: { issuer: undefined } }), []);
});

test("anyone may call the gateway, and a stranger calls nothing else but metrics", { skip }, () => {
  const flows = allowedFlows().filter((flow) => /^(stranger|internet|other-dns) > /.test(flow));
  const calls = flows.filter((flow) => !flow.includes(":9464"));
  assert.deepEqual(calls.toSorted(), [
    "internet > gateway:8080 TCP",
    "other-dns > gateway:8080 TCP",
    "stranger > gateway:8080 TCP",
  ]);
});

test("with Envoy clients reach Envoy alone, and the API server is reached by who watches it", { skip }, () => {
  const apiServer = {
    to: [{ namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "api" } } }],
    ports: [6443],
  };
  const flows = allowedFlows(named, {
    discovery: "kubernetes",
    envoy: { enabled: true },
    services: { "control-plane": { enabled: true } },
    networkPolicy: { apiServer },
  }).filter((flow) => !/ > dns:|^prometheus > /.test(flow));
  assert.deepEqual(flows.toSorted(), [
    "control-plane > api-server:6443 TCP",
    "envoy > control-plane:18000 TCP",
    "envoy > gateway:8080 TCP",
    "envoy > gateway:9464 TCP",
    "gateway > api-server:6443 TCP",
    "gateway > greeter:50051 TCP",
    "gateway > orders:50052 TCP",
    "gateway > worker:50053 TCP",
  ]);
});

test("without targets of Kubernetes no service has a token, a Role or a way to the API server", { skip }, () => {
  const { objects } = render();
  assert.deepEqual(
    objects.filter(({ kind }) => kind === "Role"),
    [],
  );
  assert.equal(JSON.stringify(objects).includes("serviceAccountToken"), false);
  assert.deepEqual(
    allowedFlows().filter((flow) => flow.includes(":6443")),
    [],
  );
});
