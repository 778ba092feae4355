import assert from "node:assert/strict";
import { createPrivateKey, X509Certificate } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import test from "node:test";
import { sleep } from "@plumbline/concurrency";
import { settingsPrefix } from "@plumbline/config";
import { freePort } from "@plumbline/tools-engines";
import { freeStackPorts } from "../ports.ts";
import { ownServices } from "../services.ts";
import { writeCertificates } from "./certificates.ts";
import { prettyLine, transportIn } from "./log-lines.ts";
import { proportionalSetSize } from "./memory.ts";
import { openProcesses } from "./open-processes.ts";
import { checkPorts } from "./preflight.ts";
import {
  type DatabaseName,
  databases,
  givenTransport,
  migrationSettings,
  type Program,
  programs,
  roleOf,
} from "./programs.ts";
import { Supervised } from "./supervised.ts";

const root = resolve(import.meta.dirname, "../../../..");

for (const { name, line, want } of [
  {
    name: "a JSON line reads time, name, level, message, fields",
    line: '{"time":"2026-01-02T03:04:05.678Z","level":"info","message":"order placed","service":"orders","order_id":"1","trace_id":"t"}',
    want: "03:04:05.678 orders   info  order placed  order_id=1",
  },
  {
    name: "a line that is no JSON stays as it is",
    line: "Segmentation fault",
    want: "             orders   Segmentation fault",
  },
  {
    name: "a terminal does not act on what a stranger wrote",
    line: JSON.stringify({
      time: "2026-01-02T03:04:05.678Z",
      level: "info",
      message: "message \u009b31mhandled",
      id: "x\u001b[31mRED\u202e\u007f",
      "\u001b]0;title\u0007": "\u2028",
      list: ["\u009b2J"],
    }),
    want: '03:04:05.678 orders   info  message \\u009b31mhandled  id=x\\u001b[31mRED\\u202e\\u007f \\u001b]0;title\\u0007=\\u2028 list=["\\u009b2J"]',
  },
  {
    name: "nor on what a line that is no JSON holds",
    line: "\u001b[2Jgone\tand\r",
    want: "             orders   \\u001b[2Jgone\tand\\u000d",
  },
  { name: "a broken JSON line stays as it is", line: '{"a":', want: '             orders   {"a":' },
]) {
  test(name, () => assert.equal(prettyLine("orders", line, 0, false), want));
}

test("the transport is read from the line of a service that listens, and from no other", () => {
  assert.equal(transportIn('{"message":"greeter is listening","port":1,"transport":"http2"}'), "http2");
  for (const line of [
    '{"message":"call","transport":7}',
    '{"message":"call"}',
    '{"transport":',
    'a "transport" here',
  ]) {
    assert.equal(transportIn(line), undefined, line);
  }
});

test("a taken port is named with its use and what to do; free ones pass", async () => {
  const ports = await freeStackPorts();
  await checkPorts(ports);
  const server = createServer();
  await new Promise<void>((done) => server.listen(ports.orders, "127.0.0.1", done));
  await assert.rejects(
    checkPorts(ports),
    new RegExp(`${ports.orders} for orders: node.* \\(pid ${process.pid}\\) listens there[^]*--ports-from`),
  );
  server.close();
});

const urls = Object.fromEntries(databases.map((name) => [name, `postgresql://${name}@localhost/${name}`])) as Record<
  DatabaseName,
  string
>;

test("every program of the table has a port of its own", async () => {
  const ports = await freeStackPorts();
  const table = programs(ports, urls);
  assert.equal(new Set(table.map((program) => program.ready)).size, table.length);
});

test("with a folder for tokens an issuer runs, the gateway asks it, and services believe who calls", async () => {
  const ports = await freeStackPorts();
  const table = programs(ports, urls, { tokens: "/tokens" });
  const issuer = table.find(({ service }) => service === "issuer");
  assert.deepEqual(issuer?.environment, {
    ISSUER_HOST: "127.0.0.1",
    ISSUER_PORT: String(ports.issuer),
    ISSUER_FOLDER: "/tokens",
  });
  const asking = table.flatMap(({ environment }) =>
    Object.entries(environment).filter(([key]) => key.includes("AUTH_ISSUER")),
  );
  assert.deepEqual(asking, [["GATEWAY_AUTH_ISSUER", issuer.url]]);
  const believing = table.filter(({ environment }) => Object.keys(environment).some((key) => key.endsWith("_PEERS")));
  const called = ownServices.map(({ name }) => name).filter((name) => name !== "gateway");
  assert.deepEqual(believing.map(({ service }) => service).toSorted(), called.toSorted());
  const without = programs(ports, urls);
  assert.doesNotMatch(JSON.stringify(without), /issuer|_PEERS|_IDS_/);
});

test("with certificates both sides of a call show one, and take that of the other service alone", async () => {
  const folder = mkdtempSync(join(tmpdir(), "certificates-"));
  try {
    writeCertificates(folder);
    const table = programs(await freeStackPorts(), urls, { tokens: "/tokens", certificates: folder });
    assert.doesNotMatch(JSON.stringify(table), /_PEERS/);
    for (const row of ownServices) {
      const { name } = row;
      const upstreams = "upstreams" in row;
      const { environment } = table.find(({ service }) => service === name) ?? {};
      const tls = `${settingsPrefix(name)}_${upstreams ? "UPSTREAM" : "RPC"}_TLS`;
      const read = (file: string) => readFileSync(environment?.[`${tls}_${file}_FILE`] ?? "", "utf8");
      const certificate = new X509Certificate(read("CERTIFICATE"));
      const ca = new X509Certificate(read(upstreams ? "CA" : "CLIENT_CA"));
      assert.ok(certificate.checkIssued(ca) && certificate.verify(ca.publicKey));
      assert.ok(certificate.checkPrivateKey(createPrivateKey(read("KEY"))));
      assert.match(
        certificate.subjectAltName ?? "",
        new RegExp(`^URI:spiffe://plumbline.internal/${name}, DNS:localhost`),
      );
      assert.equal(statSync(environment?.[`${tls}_KEY_FILE`] ?? "").mode & 0o777, 0o600);
      const callers = environment?.[`${settingsPrefix(name)}_RPC_CALLERS`];
      assert.equal(callers, upstreams ? undefined : "spiffe://plumbline.internal/gateway");
    }
    const gateway = table.find(({ service }) => service === "gateway")?.environment;
    assert.equal(gateway?.["GATEWAY_UPSTREAM_IDS_FULFILMENT"], "spiffe://plumbline.internal/worker");
    const open = programs(await freeStackPorts(), urls, { certificates: folder });
    assert.doesNotMatch(JSON.stringify(open), /RPC_CALLERS/);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("a service reaches the events by its own role, and migrates them as their owner", async () => {
  const table = programs(await freeStackPorts(), urls);
  const events = table.filter(({ environment }) => Object.keys(environment).some((key) => key.includes("MESSAGING")));
  assert.deepEqual(
    events.map(({ service }) => service),
    ownServices.filter((row) => (row.publishes ?? row.consumes) !== undefined).map(({ name }) => name),
  );
  for (const program of events) {
    const prefix = `${settingsPrefix(program.service)}_MESSAGING`;
    assert.equal(program.environment[`${prefix}_URL`], `postgresql://${program.service}@localhost/messaging`);
    assert.equal(program.environment[`${prefix}_ROLE`], undefined);
    const migration = migrationSettings(program, urls);
    assert.equal(migration[`${prefix}_URL`], "postgresql://messaging@localhost/messaging");
    assert.equal(migration[`${prefix}_ROLE`], roleOf(program.service));
  }
  const [onKafka] = programs(await freeStackPorts(), urls, { adapter: "kafka" }).filter(
    ({ service }) => service === "orders",
  );
  assert.ok(onKafka !== undefined);
  assert.deepEqual(migrationSettings(onKafka, urls), onKafka.environment);
});

test("the gateway serves the names of this machine only", async () => {
  const gateway = programs(await freeStackPorts(), urls).find(({ service }) => service === "gateway");
  assert.equal(gateway?.environment["GATEWAY_HTTP_HOSTS"], "localhost,127.0.0.1,[::1]");
});

test("a start that fails waits for what was starting beside it, and stops that too", async () => {
  const folder = mkdtempSync(join(tmpdir(), "stack-"));
  const ports = await freeStackPorts();
  try {
    // A root without the generator: it fails long before Postgres is up.
    await assert.rejects(
      openProcesses({ root: folder, dataDir: join(folder, "data"), ports, onLine: () => undefined }),
      /generate\.ts +failed/,
    );
    assert.ok(existsSync(join(folder, "data", "postgres", "PG_VERSION")), "Postgres was waited for");
    assert.ok(!existsSync(join(folder, "data", "postgres", "postmaster.pid")), "and stopped");
    await checkPorts(ports);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("one setting gives every service its transport, and an unknown one is refused", async () => {
  const ports = await freeStackPorts();
  const set = (table: readonly Program[]) =>
    table.flatMap(({ environment }) => Object.entries(environment).filter(([key]) => key.endsWith("TRANSPORT")));
  assert.deepEqual(set(programs(ports, urls)), []);
  assert.deepEqual(
    set(programs(ports, urls, { transport: givenTransport({ PLUMBLINE_TRANSPORT: "http2" }) })),
    ownServices.map(({ name, http }) => [`${settingsPrefix(name)}_${http === true ? "" : "RPC_"}TRANSPORT`, "http2"]),
  );
  assert.equal(givenTransport({ PLUMBLINE_TRANSPORT: "" }), undefined);
  assert.throws(
    () => givenTransport({ PLUMBLINE_TRANSPORT: "quic" }),
    /PLUMBLINE_TRANSPORT takes grpc-js or http2, not "quic"/,
  );
});

/** A script of the test's own, run as the stack runs a program. */
function supervise(script: string, ready: string) {
  const folder = mkdtempSync(join(tmpdir(), "supervised-"));
  const entry = join(folder, "program.ts");
  writeFileSync(entry, script);
  const lines: string[] = [];
  const program = new Supervised(
    { service: "greeter", name: "program", entry, environment: {}, url: ready, ready },
    { root, stopMs: 1_000, onLine: (_, line) => lines.push(line) },
  );
  program.start();
  return {
    program,
    lines,
    async [Symbol.asyncDispose]() {
      await program.stop();
      rmSync(folder, { recursive: true });
    },
  };
}

const server = (port: number) =>
  `import { createServer } from "node:http";
   createServer((_, response) => response.end()).listen(${port}, "127.0.0.1");
   process.on("SIGTERM", () => process.exit(0));`;
const inTime = () => ({ signal: AbortSignal.timeout(20_000) });

test("a program that is killed is started again and says so", async () => {
  const port = await freePort();
  await using running = supervise(server(port), `http://127.0.0.1:${port}`);
  await running.program.ready(inTime());
  const first = running.program.pid as number;
  process.kill(first, "SIGKILL");
  const limit = inTime();
  while (running.program.pid === first && !limit.signal.aborted) await sleep(10);
  await running.program.ready(inTime());
  assert.notEqual(running.program.pid, first);
  assert.equal(running.program.restarts, 1);
  assert.match(running.lines.join("\n"), /ended \(SIGKILL\): starting it again in \d+ ms/);
});

test("a program has a small young generation, so that all of them fit in half a gigabyte", async () => {
  const port = await freePort();
  const script = `${server(port)} console.log(process.execArgv.join(" "));`;
  await using running = supervise(script, `http://127.0.0.1:${port}`);
  await running.program.ready(inTime());
  assert.match(running.lines.join("\n"), /^--max-semi-space-size=8 /m);
});

test("a program that never gets ready is given up with its last lines", async () => {
  await using running = supervise('console.log("no licence"); process.exit(3);', "http://127.0.0.1:9");
  await assert.rejects(running.program.ready(inTime()), /program does not start \(exit code 3\)[^]*no licence/);
});

test("stopping ends a program that ignores SIGTERM, by force", async () => {
  const port = await freePort();
  const deaf = server(port).replace("process.exit(0)", "console.log('no')");
  const running = supervise(deaf, `http://127.0.0.1:${port}`);
  await running.program.ready(inTime());
  await running[Symbol.asyncDispose]();
  assert.equal(running.program.exitCode, null);
  assert.match(running.lines.join("\n"), /did not stop within 1000 ms: killed/);
});

test("memory counts a process with what it started", {
  skip: process.platform === "linux" ? false : "reads /proc: Linux only",
}, () => {
  assert.ok((proportionalSetSize(process.pid) ?? 0) > 10 * 2 ** 20);
});
