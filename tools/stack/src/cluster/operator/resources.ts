/** The BackendServices that the verb `operator` applies. */
export type Spec = Readonly<Record<string, unknown>>;

/** The definition of BackendService, by its full name. */
export const definition = "backendservices.plumbline.dev";

export function backendService(name: string, spec: Spec) {
  return { apiVersion: "plumbline.dev/v1alpha1", kind: "BackendService", metadata: { name }, spec };
}

export function listOf(items: readonly object[]) {
  return { apiVersion: "v1", kind: "List", items };
}

/** The least service: a greeter with a fixed number of pods. */
export function smallSpec(tag: string): Spec {
  return {
    image: `plumbline/greeter:${tag}`,
    program: "greeter",
    ports: { grpc: 50_051 },
    replicas: { min: 1, max: 1 },
    resources: { cpu: "10m", memory: "128Mi" },
  };
}

/** Returns the services of the chart as resources, for the engines for tests. */
export function systemOf(namespace: string, tag: string): readonly ReturnType<typeof backendService>[] {
  const upstream = (service: string, port: number) => `dns:///${service}.${namespace}.svc.cluster.local:${port}`;
  // The policies of the resources let only the gateway in.
  const believes = { "rpc.principalPeers": "uniquelocal" };
  const kafka = { ...believes, "messaging.adapter": "kafka", "kafka.brokers": "kafka:9092" };
  const database = (service: string) => [
    {
      name: "database",
      secretRef: `${service}-database`,
      follow: "agent",
      settings: { "database.url": "url" },
    },
    {
      name: "owner",
      secretRef: `${service}-owner-database`,
      only: "init",
      settings: { "database.url": "url" },
    },
  ];
  const engines = [
    { program: "postgres", port: 5_432 },
    { program: "kafka", port: 9_092 },
  ];
  const image = (service: string) => `plumbline/${service}:${tag}`;
  return [
    backendService("greeter", {
      image: image("greeter"),
      ports: { grpc: 50_051 },
      settings: believes,
      resources: { cpu: "50m", memory: "128Mi" },
      network: { from: ["gateway"] },
    }),
    backendService("orders", {
      image: image("orders"),
      ports: { grpc: 50_052 },
      settings: kafka,
      init: ["migrate"],
      secrets: database("orders"),
      network: { from: ["gateway"], to: engines },
    }),
    backendService("worker", {
      image: image("worker"),
      ports: { grpc: 50_053 },
      settings: { ...kafka, "suppliers.url": "http://supplier:8090" },
      init: ["migrate"],
      secrets: database("worker"),
      network: { from: ["gateway"], to: [...engines, { program: "supplier", port: 8_090 }] },
    }),
    backendService("gateway", {
      image: image("gateway"),
      ports: { http: 8_080 },
      settings: {
        "auth.issuer": "https://issuer:8091",
        "auth.developmentIssuer": "true",
        "auth.caFile": "/run/plumbline/secrets/authority/ca.crt",
        "rateLimit.store": "redis",
        "upstreams.greeter": upstream("greeter", 50_051),
        "upstreams.orders": upstream("orders", 50_052),
        "upstreams.fulfilment": upstream("worker", 50_053),
      },
      secrets: [
        { name: "redis", secretRef: "redis", settings: { "rateLimit.redisUrl": "url" } },
        { name: "authority", secretRef: "issuer-authority", follow: "restart" },
      ],
    }),
  ];
}

/**
 * Returns 50 resources that are wrong, each in one way. Most do not pass the definition. The last
 * four pass it, and the API server refuses what is made of them.
 */
export function wrongResources(tag: string): readonly ReturnType<typeof backendService>[] {
  const base = smallSpec(tag);
  const refused = [
    ...["", "x".repeat(513), 7, null].map((image) => ({ image })),
    ...["Greeter", "-a", "a_b", "x".repeat(41)].map((program) => ({ program })),
    ...[{}, { grpc: 0 }, { grpc: 65_536 }, { grpc: "50051" }, { grpc: 1, http: 2 }, { http: 9_464 }].map((ports) => ({
      ports,
    })),
    ...[{ min: 0 }, { min: 3, max: 2 }, { max: 1_001 }, { target: { average: 0 } }, { target: { metric: "" } }].map(
      (replicas) => ({ replicas }),
    ),
    ...[
      { a: 1 },
      Object.fromEntries(Array.from({ length: 101 }, (_, index) => [`a${index}`, "1"])),
      { a: "x".repeat(4_097) },
      "a=b",
    ].map((settings) => ({ settings })),
    ...[{ cpu: "many" }, { memory: "" }, { memory: "a lot" }, { cpu: 1 }].map((resources) => ({ resources })),
    ...[[""], "migrate", Array.from({ length: 11 }, () => "migrate")].map((init) => ({ init })),
    ...[{}, { collector: "collector" }, { collector: "http://$x" }, { collector: "http://a", sampleRatio: 2 }].map(
      (tracing) => ({ tracing }),
    ),
    ...[
      { to: [{}] },
      { to: [{ port: 1, program: "a", cidr: "10.0.0.0/8" }] },
      { from: ["A"] },
      { to: [{ cidr: "x", port: 1 }] },
    ].map((network) => ({ network })),
    ...[
      [{ name: "a" }],
      [{ name: "A", secretRef: "a" }],
      [{ name: "a", secretRef: "" }],
      [{ name: "a", secretRef: "a", follow: "never" }],
      [
        { name: "a", secretRef: "a" },
        { name: "a", secretRef: "b" },
      ],
      [{ name: "a", secretRef: "a", settings: { b: "" } }],
      [{ name: "a", secretRef: "a", only: "init" }],
      [{ name: "a", secretRef: "a", only: "service" }],
    ].map((secrets) => ({ secrets })),
  ];
  const stalled = [
    { resources: { memory: "-1" } },
    { resources: { cpu: "-1" } },
    { network: { to: [{ cidr: "999.0.0.0/8", port: 1 }] } },
    { network: { to: [{ cidr: "10.0.0.0/99", port: 1 }] } },
  ];
  return [...refused, ...stalled].map((change, index) => backendService(`wrong-${index}`, { ...base, ...change }));
}
