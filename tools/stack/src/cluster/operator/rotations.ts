/** The parts of the verb `operator` that rotate what an agent delivers. */
import { randomBytes, X509Certificate } from "node:crypto";
import { background, sleep } from "@plumbline/concurrency";
import { type Authority, newAuthority } from "@plumbline/tools-engines";
import { startArrivals, warmUp } from "../arrivals.ts";
import { callEmpty } from "../call-empty.ts";
import type { Print } from "../in-namespace.ts";
import type { Reach } from "../reach.ts";
import { explain, type Report, seconds } from "../report.ts";
import { recordTimeline } from "../timeline.ts";
import { smallSpec } from "./resources.ts";
import { gatewayUrl, podsOf, putReady } from "./system.ts";
import { type Cluster, until } from "./until.ts";

const rotations = 5;
const rotatedS = 5;
const unusedS = 10;
const agentMiB = 48;
const callEveryMs = 50;
const patienceMs = 60_000;
const metricsMs = 60_000;
const ratePerSecond = 20;

/**
 * Rotates the certificate of two servers while a client opens connection after connection and
 * calls. Adds how soon both show the new one, and how soon the status says so.
 */
export async function rotateTls(cluster: Cluster, report: Report, print: Print): Promise<void> {
  const { kubectl, tag } = cluster;
  const authority = newAuthority("Plumbline development");
  await putPair(cluster, authority);
  const folder = "/run/plumbline/secrets/tls";
  await putReady(cluster, "secure", {
    ...smallSpec(tag),
    replicas: { min: 2, max: 2 },
    // A setting that ends in File is a path itself.
    settings: { "rpc.tls.certificateFile": `${folder}/tls.crt`, "rpc.tls.keyFile": `${folder}/tls.key` },
    secrets: [{ name: "tls", secretRef: "secure-tls", follow: "agent" }],
  });
  await kubectl("wait", "backendservice", "secure", "--for=condition=SecretsInSync", "--timeout=60s");
  const ips = (await podsOf(cluster, "secure")).map(({ ip }) => ip);
  const shown = new Map<string, string>();
  const failures: string[] = [];
  let calls = 0;
  const took = { shown: [] as number[], said: [] as number[] };
  {
    await using _calling = background(async (signal) => {
      while (!signal.aborted) {
        for (const ip of ips) {
          calls += 1;
          await call(ip, authority.certificate).then(
            (serial) => shown.set(ip, serial),
            (error: unknown) => failures.push(`${ip}: ${String(error)}`),
          );
        }
        await sleep(callEveryMs, { signal }).catch(() => undefined);
      }
    });
    for (let rotation = 0; rotation < rotations; rotation++) {
      const serial = await putPair(cluster, authority);
      const began = performance.now();
      await until(async () => ips.every((ip) => shown.get(ip) === serial), patienceMs, "all pods show the certificate");
      took.shown.push(performance.now() - began);
      const version = await kubectl("get", "secret", "secure-tls", "--output", "jsonpath={.metadata.resourceVersion}");
      const status = "jsonpath={.status.secrets[0].resourceVersion} {.status.secrets[0].deliveredTo}";
      const said = () => kubectl("get", "backendservice", "secure", "--output", status);
      await until(async () => (await said()) === `${version} ${ips.length}`, patienceMs, "the status says so");
      took.said.push(performance.now() - began);
    }
  }
  checkSlowest(report, `TLS pair rotated ${rotations} times: new certificate`, took.shown, rotatedS);
  checkSlowest(report, "TLS pair rotated: the status names all pods", took.said, rotatedS);
  for (const failure of failures.slice(0, 3)) print(failure);
  report.check(
    "new connections with a call that failed meanwhile",
    `${failures.length} of ${calls}`,
    "0",
    failures.length === 0 && calls > 0,
  );
  await checkAgents(cluster, report, print);
}

/**
 * Rotates the role with which orders logs in to its database, under load: a new role in force each
 * time, as docs/runbooks/rotate-secrets.md says. Adds how soon the old one has no connection left.
 */
export async function rotateDatabase(reach: Reach, cluster: Cluster, report: Report, print: Print): Promise<void> {
  const { apply, kubectl, namespace } = cluster;
  const sql = (statement: string) =>
    kubectl("exec", "postgres-0", "--", "psql", "--username=postgres", "--no-align", "--tuples-only", "-c", statement);
  const load = { url: await gatewayUrl(cluster), rate: ratePerSecond, watchers: 0 };
  await warmUp(load, 5_000);
  await using timeline = recordTimeline(reach, namespace);
  await using arrivals = startArrivals(load);
  const took: number[] = [];
  let refused = 0;
  let old = "orders";
  for (let rotation = 1; rotation <= rotations; rotation++) {
    const role = `orders_${rotation}`;
    const password = randomBytes(16).toString("hex");
    await sql(`CREATE ROLE ${role} LOGIN PASSWORD '${password}' IN ROLE orders`);
    const host = `postgres.${namespace}.svc.cluster.local:5432`;
    const stringData = { url: `postgresql://${role}:${password}@${host}/orders` };
    await apply({ apiVersion: "v1", kind: "Secret", metadata: { name: "orders-database" }, stringData });
    const began = performance.now();
    const left = `SELECT count(*) FILTER (WHERE usename = '${old}'), count(*) FILTER (WHERE usename = '${role}') > 0 FROM pg_stat_activity`;
    await until(async () => (await sql(left)).trim() === "0|t", patienceMs, "the old role has no connection");
    took.push(performance.now() - began);
    await sql(`ALTER ROLE ${old} NOLOGIN`);
    if ((await sql(`SELECT rolcanlogin FROM pg_roles WHERE rolname = '${old}'`)).trim() === "f") refused += 1;
    old = role;
  }
  // Orders that were accepted last are worked on with the newest role.
  await sleep(5_000);
  const seen = await arrivals.end();
  checkSlowest(report, `database role rotated ${rotations} times: the old one unused`, took, unusedS);
  report.check("old roles that may no longer log in", `${refused}`, `${rotations}`, refused === rotations);
  report.load("database role rotated", seen);
  if (seen.failures.length > 0) print(explain(seen, timeline));
}

function checkSlowest(report: Report, what: string, times: readonly number[], targetS: number): void {
  const slowest = Math.max(...times);
  report.check(`${what} after`, `${seconds(slowest)} at most`, `<= ${targetS} s`, slowest <= targetS * 1_000);
}

/** Writes a new certificate and its key into the Secret, and returns its serial number. */
async function putPair({ apply }: Cluster, authority: Authority): Promise<string> {
  const { certificate, key } = authority.issue({ name: "secure", dnsNames: ["secure"] });
  const stringData = { "tls.crt": certificate, "tls.key": key };
  const metadata = { name: "secure-tls" };
  await apply({ apiVersion: "v1", kind: "Secret", metadata, type: "kubernetes.io/tls", stringData });
  return new X509Certificate(certificate).serialNumber;
}

/** Asks a pod for its health, and returns the serial number of the certificate that it showed. */
async function call(host: string, ca: string): Promise<string> {
  const server = { host, port: 50_051, servername: "secure", ca };
  const { status, serial } = await callEmpty("/grpc.health.v1.Health/Check", server);
  if (status !== "0") throw new Error(`grpc-status ${status}`);
  return serial;
}

/** Adds the memory and the restarts of the agents. */
async function checkAgents({ kubectl }: Cluster, report: Report, print: Print): Promise<void> {
  const selector = ["--selector", "plumbline.dev/agent"];
  const restarts = "jsonpath={.items[*].status.initContainerStatuses[0].restartCount}";
  const counts = await kubectl("get", "pods", ...selector, "--output", restarts);
  const isCalm = /^(0 ?)+$/.test(counts);
  report.check("restarts of agents", counts, "0", isCalm);
  const figures = async () => {
    const lines = await kubectl("top", "pods", ...selector, "--containers", "--no-headers").catch(() => "");
    return lines
      .split("\n")
      .map((line) => line.trim().split(/\s+/))
      .filter(([, container]) => container === "plumbline-agent")
      .map(([, , , memory = ""]) => Number.parseInt(memory, 10));
  };
  await until(async () => (await figures()).length > 0, metricsMs, "there are figures").catch(() => undefined);
  const found = await figures();
  if (found.length === 0) {
    print("NOT MEASURED: memory of agents, because the cluster has no metrics API");
    return;
  }
  const most = Math.max(...found);
  report.check("memory of an agent", `${most} MiB`, `<= ${agentMiB} MiB`, most <= agentMiB);
}
