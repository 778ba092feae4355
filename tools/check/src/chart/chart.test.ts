import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import test from "node:test";
import { ownServices, type ServiceRow, settingsPrefix } from "@plumbline/tools-stack";
import { parseAllDocuments } from "yaml";
import { findServices } from "../settings/services.ts";
import { checkChart } from "./check-chart.ts";
import { examples } from "./examples.ts";
import { chartFiles, rowProblems } from "./files.ts";
import { helm, whyNoHelm } from "./programs.ts";
import { type Container, chartFolder, type KubeObject, notes, podsOf, render, tryRender } from "./render.ts";
import { brokenRules } from "./rules.ts";

const root = resolve(import.meta.dirname, "../../../..");
process.chdir(root);
const services = await findServices(root);
const skip = whyNoHelm();
if (skip !== false) console.log(`NOT TESTED: rendering of the chart, because ${skip}`);

for (const [name, text] of Object.entries(chartFiles(services, chartFolder))) {
  test(`${name} of the chart is up to date`, () => assert.equal(readFileSync(join(chartFolder, name), "utf8"), text));
}

test("values.yaml without a service, or with an unknown one, is refused", () => {
  const values = readFileSync(join(chartFolder, "values.yaml"), "utf8");
  assert.deepEqual(rowProblems(values), []);
  assert.deepEqual(rowProblems(values.replace("  greeter:", "  greter:")), [
    "values.yaml has no services.greeter",
    "services.greter of values.yaml has no row in tools/stack/src/services.ts",
  ]);
});

test("the chart is right with every example of its values", { skip }, async () => {
  assert.deepEqual((await checkChart(services)).problems, []);
});

test("the engines for tests create databases as docker-compose.yml does", () => {
  const copy = readFileSync("deploy/helm/engines-for-tests/files/init.sh", "utf8");
  assert.equal(copy, readFileSync("deploy/compose/postgres/init.sh", "utf8"));
});

test("Redis of the engines for tests asks for the password in its URL, and no pod shows it", { skip }, () => {
  const { ok, out } = helm("template", "engines", "deploy/helm/engines-for-tests", "--namespace", "shop");
  assert.ok(ok);
  const objects = parseAllDocuments(out).map((document) => document.toJS() as KubeObject & { stringData?: object });
  const [secret, pod] = ["Secret", "Deployment"].map((kind) =>
    objects.find((object) => object.kind === kind && object.metadata.name === "redis"),
  );
  assert.ok(secret !== undefined);
  const { url, password } = secret.stringData as { readonly url: string; readonly password: string };
  assert.deepEqual([new URL(url).password, password.length > 0], [password, true]);
  const text = JSON.stringify(pod);
  assert.match(text, /requirepass \$\(cat \/run\/secrets\/redis\/password\)/);
  assert.ok(!text.includes(password));
});

const one = (objects: readonly KubeObject[], kind: string, name: string) =>
  objects.find((object) => object.kind === kind && object.metadata.name === `release-${name}`);

const variables = (objects: readonly KubeObject[], service: string, container = service) => {
  const pod = podsOf(objects).find(({ app }) => app === service)?.pod;
  const found = [...(pod?.initContainers ?? []), ...(pod?.containers ?? [])].find(({ name }) => name === container);
  return Object.fromEntries((found?.env ?? []).map(({ name, value }) => [name, value]));
};

for (const { name, values, want } of [
  {
    name: "a misspelt setting",
    values: { services: { orders: { settings: { database: { poolsize: 5 } } } } },
    want: /services\/orders\/settings\/database.*'poolsize'/,
  },
  {
    name: "a setting with a wrong value",
    values: { services: { orders: { settings: { database: { poolSize: 0 } } } } },
    want: /services\/orders\/settings\/database\/poolSize.*minimum/,
  },
  {
    name: "a secret among the settings",
    values: { services: { orders: { settings: { database: { url: "postgresql://a:b@c/d" } } } } },
    want: /services\/orders\/settings\/database.*'url'/,
  },
  {
    name: "a secret that the service does not have",
    values: { services: { greeter: { secrets: { "database.url": { name: "a", key: "b" } } } } },
    want: /services\/greeter\/secrets.*'database.url'/,
  },
  { name: "an unknown service", values: { services: { order: {} } }, want: /services.*'order'/ },
  { name: "a misspelt value", values: { autoscalling: {} }, want: /'autoscalling'/ },
  {
    name: "a secret that is null",
    values: { services: { orders: { secrets: { "database.url": null } } } },
    want: /services\/orders\/secrets\/database\.url.*got null/,
  },
  {
    name: "an HTTPRoute without a Gateway",
    values: { httpRoute: { enabled: true } },
    want: /httpRoute\.parentRefs needs at least one Gateway/,
  },
]) {
  test(`${name} is refused with its key`, { skip }, () => {
    const { ok, complaint } = tryRender(values);
    assert.equal(ok, false);
    assert.match(complaint, want);
  });
}

test("a required secret that is missing is refused with what to add", { skip }, () => {
  const { ok, complaint } = helm("template", "release", chartFolder);
  assert.equal(ok, false);
  assert.match(complaint, /services\.orders\.secrets needs database\.url: \{ name: SECRET, key: KEY \}/);
});

test("a chart that depends on this one may set global and enabled", { skip }, () => {
  assert.equal(tryRender({ global: { team: "shop" }, enabled: true }).complaint, "");
});

test("settings become variables, and live settings a file", { skip }, () => {
  const { objects } = render(examples["everything"] ?? {});
  const gateway = variables(objects, "gateway");
  assert.equal(gateway["GATEWAY_RATE_LIMIT_STORE"], "redis");
  assert.equal(gateway["GATEWAY_UPSTREAMS_FULFILMENT"], "dns:///release-worker.shop.svc.cluster.local:50053");
  assert.equal(gateway["GATEWAY_RATE_LIMIT_PER_CLIENT_BURST"], undefined);
  assert.equal(
    one(objects, "ConfigMap", "gateway")?.data?.["gateway.yaml"],
    "rateLimit:\n  perClient:\n    burst: 1000000\n    perSecond: 1000000\n",
  );
  const orders = variables(objects, "orders");
  assert.equal(orders["ORDERS_IDEMPOTENCY_RETENTION_MS"], "86400000");
  assert.equal(orders["ORDERS_KAFKA_BROKERS"], "kafka-0:9092, kafka-1:9092");
});

test("a service's own setting wins over the common one, also with false and 0", { skip }, () => {
  const { objects } = render({
    settings: { telemetry: { otlpLogs: true, sampleRatio: 0.5 } },
    services: { orders: { settings: { telemetry: { otlpLogs: false, sampleRatio: 0 } } } },
  });
  assert.equal(variables(objects, "worker")["WORKER_TELEMETRY_OTLP_LOGS"], "true");
  assert.equal(variables(objects, "orders")["ORDERS_TELEMETRY_OTLP_LOGS"], "false");
  assert.equal(variables(objects, "orders")["ORDERS_TELEMETRY_SAMPLE_RATIO"], "0");
});

test("only the init container mounts the secret of the migrating role", { skip }, () => {
  const { objects } = render(examples["everything"] ?? {});
  const pod = podsOf(objects).find(({ app }) => app === "orders")?.pod;
  const volume = pod?.volumes?.find((candidate) => JSON.stringify(candidate).includes('"orders-owner"'));
  const mounting = (containers: readonly Container[] = []) =>
    containers.filter(({ volumeMounts = [] }) => volumeMounts.some(({ name }) => name === volume?.name));
  assert.equal(volume?.name, "migration-secrets");
  assert.deepEqual(
    [mounting(pod?.initContainers).map(({ name }) => name), mounting(pod?.containers)],
    [["migrate"], []],
  );
});

test("a file of a setting is a mounted key of a Secret, also for the init container", { skip }, () => {
  const { objects } = render(examples["everything"] ?? {});
  const gateway = variables(objects, "gateway");
  assert.equal(gateway["GATEWAY_AUTH_CA_FILE"], "/run/plumbline/files/auth.caFile");
  assert.equal(gateway["GATEWAY_AUTH_API_KEYS_FILE"], "/run/plumbline/files/auth.apiKeysFile");
  const pod = podsOf(objects).find(({ app }) => app === "orders")?.pod;
  const volume = pod?.volumes?.find(({ name }) => name === "files");
  assert.match(JSON.stringify(volume), /"orders-tls","items":\[\{"key":"tls.key","path":"rpc.tls.keyFile"\}\]/);
  const all = [...(pod?.initContainers ?? []), ...(pod?.containers ?? [])];
  assert.deepEqual(
    all.map(({ volumeMounts = [] }) => volumeMounts.some(({ name }) => name === "files")),
    [true, true],
  );
  assert.equal(
    variables(objects, "orders", "migrate")["ORDERS_RPC_TLS_KEY_FILE"],
    "/run/plumbline/files/rpc.tls.keyFile",
  );
});

test("with mTLS each service shows its certificate, and takes calls of those alone that call it", { skip }, () => {
  const { objects } = render(examples["certificates of the services"] ?? {});
  const files = { CA: "ca.crt", CERTIFICATE: "tls.crt", KEY: "tls.key" };
  for (const { name, upstreams, packages } of ownServices as readonly ServiceRow[]) {
    const own = variables(objects, name);
    const prefix = `${name.toUpperCase().replaceAll("-", "_")}_`;
    for (const [part, file] of Object.entries(files)) {
      const path = `/run/plumbline/tls/${file}`;
      const server = part === "CA" ? "CLIENT_CA" : part;
      assert.equal(own[`${prefix}RPC_TLS_${server}_FILE`], packages === undefined ? undefined : path);
      assert.equal(own[`${prefix}UPSTREAM_TLS_${part}_FILE`], upstreams === true ? path : undefined);
    }
    for (const { name: called, packages: served = [] } of upstreams === true
      ? (ownServices as readonly ServiceRow[])
      : []) {
      const id = `spiffe://example.org/ns/shop/sa/release-${called}`;
      for (const one of served) assert.equal(own[`${prefix}UPSTREAM_IDS_${settingsPrefix(one)}`], id);
    }
    const callers = packages === undefined ? undefined : "spiffe://example.org/ns/shop/sa/release-gateway";
    assert.equal(own[`${prefix}RPC_CALLERS`], callers);
    const volumes = podsOf(objects).find(({ app }) => app === name)?.pod.volumes;
    assert.match(
      JSON.stringify(volumes?.find((volume) => volume.name === "tls")),
      new RegExp(`"secretName":"release-${name}-tls"`),
    );
  }
  // The values may name ids of their own, and the host is what a target of theirs is known by.
  const services = {
    gateway: {
      settings: {
        upstreams: { greeter: "dns:///greeter.elsewhere:50051" },
        upstreamIds: { orders: "spiffe://elsewhere.example/orders" },
      },
    },
  };
  const gateway = variables(render({ ...examples["certificates of the services"], services }).objects, "gateway");
  const idOf = (name: string) => gateway[`GATEWAY_UPSTREAM_IDS_${name}`];
  assert.deepEqual(
    [idOf("GREETER"), idOf("ORDERS"), idOf("FULFILMENT")],
    [undefined, "spiffe://elsewhere.example/orders", "spiffe://example.org/ns/shop/sa/release-worker"],
  );
  assert.equal(variables(render().objects, "gateway")["GATEWAY_UPSTREAM_IDS_ORDERS"], undefined);
  // Envoy calls it in the clear.
  assert.deepEqual(
    Object.keys(variables(objects, "control-plane")).filter((key) => /TLS|CALLERS/.test(key)),
    [],
  );
});

for (const [name, values, want] of [
  ["mTLS without an identity", { mtls: { enabled: true } }, /mtls\.identity needs %s/],
  [
    "an identity that all services share",
    { mtls: { enabled: true, identity: "spiffe://example.org/all" } },
    /at '\/mtls\/identity'.*does not match pattern/,
  ],
  [
    "an address that is believed beside certificates",
    {
      mtls: { enabled: true, identity: "spiffe://example.org/%s" },
      settings: { rpc: { principalPeers: "10.0.0.0/8" } },
    },
    /services\.\w+ believes callers by their certificates: leave out rpc\.principalPeers/,
  ],
  [
    "a gateway without tokens, which does not start in a pod,",
    { services: { gateway: { settings: { auth: { issuer: undefined, off: true } } } } },
    /at '\/services\/gateway\/settings\/auth'.*'off' not allowed/,
  ],
] as const) {
  test(`${name} is refused with what to change`, { skip }, () => {
    const { ok, complaint } = tryRender(values);
    assert.equal(ok, false);
    assert.match(complaint, want);
  });
}

test("the chart takes no issuer for development, and asks for tokens", () => {
  const auth = { issuer: "https://id.example.com", developmentIssuer: true };
  const files = readdirSync("deploy/helm", { recursive: true, encoding: "utf8" }).filter((file) =>
    file.endsWith(".yaml"),
  );
  assert.deepEqual(
    files.filter((file) =>
      /developmentIssuer: *true|auth: *\{ *off/.test(readFileSync(join("deploy/helm", file), "utf8")),
    ),
    ["examples/issuer-for-tests.yaml"],
  );
  if (skip === false) {
    assert.equal(variables(render().objects, "gateway")["GATEWAY_AUTH_DEVELOPMENT_ISSUER"], undefined);
    const asked = render({ services: { gateway: { settings: { auth } } } });
    assert.equal(variables(asked.objects, "gateway")["GATEWAY_AUTH_DEVELOPMENT_ISSUER"], "true");
  }
});

test("an install warns about a service that asks for no principal, and an issuer for development", { skip }, () => {
  const warnings = (...values: readonly object[]) => notes(...values).match(/WARNING: .*/g) ?? [];
  const open = ownServices.filter(({ packages = [] }: ServiceRow) => packages.length > 0).map(({ name }) => name);
  const one = /^WARNING: (\S+) asks for no principal, so any token with the scope/;
  assert.deepEqual(
    warnings()
      .map((line) => one.exec(line)?.[1])
      .toSorted(),
    open.toSorted(),
  );
  const peers = { settings: { rpc: { principalPeers: "10.244.0.0/16" } } };
  assert.deepEqual(warnings(peers), []);
  assert.deepEqual(warnings({ settings: { rpc: { callers: "spiffe://shop.example/gateway" } } }), []);
  const gateway = (auth: object) => ({ services: { gateway: { settings: { auth } } } });
  assert.deepEqual(warnings(peers, gateway({ developmentIssuer: true })), [
    "WARNING: gateway takes tokens of an issuer for development, which anybody may get.",
  ]);
});

test("a pod has 5 s more than its service to end", { skip }, () => {
  const { objects } = render({ services: { greeter: { settings: { graceMs: 30_500 } } } });
  const seconds = podsOf(objects).map(({ app, pod }) => [app, pod.terminationGracePeriodSeconds]);
  assert.deepEqual(Object.fromEntries(seconds), { gateway: 30, greeter: 36, orders: 30, worker: 30 });
});

test("replicas are fixed only without autoscalers", { skip }, () => {
  const counts = (metrics: string) =>
    render({ autoscaling: { metrics } }).objects.filter(({ spec }) => spec?.replicas !== undefined).length;
  assert.deepEqual(["none", "cpu", "adapter", "keda"].map(counts), [4, 0, 0, 0]);
});

test("a service that is left out leaves no object", { skip }, () => {
  const { objects } = render({ services: { greeter: { enabled: false } } });
  assert.deepEqual(
    objects.filter(({ metadata }) => metadata.name.includes("greeter")),
    [],
  );
  assert.deepEqual(brokenRules(objects), []);
});

test("another namespace or domain changes the addresses of services", { skip }, () => {
  const { objects } = render({ clusterDomain: "example.internal" });
  const target = variables(objects, "gateway")["GATEWAY_UPSTREAMS_GREETER"];
  assert.equal(target, "dns:///release-greeter.shop.svc.example.internal:50051");
});

test("a change of the chart's version replaces no pod", { skip }, () => {
  const labels = render().objects.map(({ spec }) => Object.keys(spec?.template?.metadata.labels ?? {}));
  assert.deepEqual(
    [...new Set(labels.flat())],
    ["app.kubernetes.io/name", "app.kubernetes.io/instance", "app.kubernetes.io/part-of"],
  );
});

const deployment = (change: (text: string) => string) => {
  const text = JSON.stringify(render().objects.find(({ kind }) => kind === "Deployment"));
  return render()
    .objects.filter(({ kind, metadata }) => kind !== "Deployment" || metadata.name !== "release-gateway")
    .concat(JSON.parse(change(text)) as KubeObject);
};

for (const [name, change, want] of [
  ["a hook", (text) => text.replace('"labels"', '"annotations":{"helm.sh/hook":"pre-install"},"labels"'), /is a hook/],
  ["replicas beside an autoscaler", (text) => text.replace('"spec":{', '"spec":{"replicas":2,'), /spec\.replicas/],
  ["a token", (text) => text.replace('"automountServiceAccountToken":false,', ""), /mounts a token/],
  [
    "a writable root",
    (text) => text.replace('"readOnlyRootFilesystem":true', '"readOnlyRootFilesystem":false'),
    /may write/,
  ],
  ["a subPath", (text) => text.replace('"mountPath"', '"subPath":"x","mountPath"'), /mounts a subPath/],
  ["another memory request", (text) => text.replace('"memory":"192Mi"', '"memory":"1Mi"'), /memory limit/],
] satisfies readonly (readonly [string, (text: string) => string, RegExp])[]) {
  test(`${name} in a pod is found`, { skip }, () => {
    assert.match(brokenRules(deployment(change)).join("\n"), want);
  });
}
