import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import test from "node:test";
import { defaultPorts, freeStackPorts } from "../ports.ts";
import { busyPorts } from "../processes/preflight.ts";
import { checks } from "./checks.ts";
import { examine, type Finding, isHealthy } from "./examine.ts";
import { type Machine, thisMachine } from "./machine.ts";

const answers: Readonly<Record<string, string>> = {
  "/repo/node_modules/.bin/node --version": "v26.10.0",
  "npm --version": "11.0.0",
  "sh -c ulimit -n": "20000",
  "curl --version": "curl 8.5.0 (x86_64)",
  "docker version --format {{.Server.Version}}": "26.1.5",
  "docker compose version --short": "2.26.1",
  "docker buildx version": "github.com/docker/buildx v0.13.1 788433",
  "java -version": 'openjdk version "21.0.2" 2024-01-16',
  "go env GOVERSION": "go1.26.1",
};

/** A machine on which everything is there. */
const whole: Machine = {
  root: "/repo",
  dataDir: "/repo/.plumbline/data",
  ports: defaultPorts,
  platform: "linux",
  environment: {},
  nodeVersion: "26.10.0",
  exists: () => true,
  run: async (...line) => answers[line.join(" ")],
  freeDisk: async () => 5e9,
  availableMemory: 4e9,
  busyPorts: async () => [],
  postgres: async () => "PostgreSQL 18",
  maven: () => undefined,
  etcd: () => ({ command: "etcd" }),
};

/** Changes what a command prints, or makes it fail. */
const answering = (line: string, answer: string | undefined | Error): Partial<Machine> => ({
  run: async (...given) => {
    if (given.join(" ") !== line) return answers[given.join(" ")];
    if (answer instanceof Error) throw answer;
    return answer;
  },
});

async function findingOf(name: string, machine: Machine): Promise<Finding> {
  const found = (await examine(machine)).find((finding) => finding.name === name);
  assert.ok(found);
  return found;
}

test("on a machine that has everything, every check is ok", async () => {
  const findings = await examine(whole);
  assert.deepEqual(
    findings.filter(({ state }) => state !== "ok"),
    [],
  );
  assert.ok(isHealthy(findings));
});

const failures: readonly (readonly [name: string, change: Partial<Machine>, found: RegExp, fix: RegExp])[] = [
  ["Node", { nodeVersion: "20.1.0" }, /^Node 20\.1\.0$/, /npm ci without --omit=optional/],
  [
    "libatomic",
    answering("/repo/node_modules/.bin/node --version", new Error("libatomic.so.1: cannot open shared object file")),
    /^libatomic1 is missing$/,
    /apt-get install libatomic1/,
  ],
  ["npm", answering("npm --version", undefined), /^no npm$/, /npm install --global npm@10/],
  ["dependencies", { exists: (path) => !path.endsWith(".package-lock.json") }, /node_modules is missing/, /^npm ci$/],
  ["dependencies", { exists: (path) => !path.endsWith("/buf") }, /has no buf/, /npm ci --include=dev/],
  [
    "ports",
    { busyPorts: async () => [{ name: "orders", port: 50052, problem: "java (pid 7) listens there" }] },
    /50052 for orders: java \(pid 7\) listens there/,
    /--ports-from 20000/,
  ],
  [
    "Postgres",
    { postgres: async () => Promise.reject(new Error("PostgreSQL refuses to run as root. Run as a normal user.")) },
    /^PostgreSQL refuses to run as root\.$/,
    /^Run as a normal user\.$/,
  ],
  [
    "disk",
    { freeDisk: async (folder) => (folder === "/repo" ? 1e8 : 5e9) },
    /less than 1 GB is free in \/repo$/,
    /free some space/,
  ],
  ["memory", { availableMemory: 3e8 }, /^0\.3 GB available$/, /close other programs/],
  ["descriptors", answering("sh -c ulimit -n", "1024"), /may open 1024 files/, /ulimit -n 4096/],
  ["etcd", { etcd: () => undefined }, /^no etcd, and no Docker engine/, /apt-get install etcd-server/],
  ["curl", answering("curl --version", undefined), /^no curl$/, /install curl/],
  [
    "proxies",
    { environment: { http_proxy: "http://proxy:3128" } },
    /^http_proxy sends/,
    /no_proxy=localhost,127\.0\.0\.1/,
  ],
  [
    "file system",
    { root: "/mnt/c/code/plumbline", environment: { WSL_DISTRO_NAME: "Debian" } },
    /is a Windows folder/,
    /home folder of WSL/,
  ],
  ["Docker", answering("docker version --format {{.Server.Version}}", undefined), /^no Docker$/, /install Docker 25/],
  [
    "Docker",
    answering("docker version --format {{.Server.Version}}", new Error("permission denied\nmore")),
    /^no Docker engine answers: permission denied$/,
    /group docker/,
  ],
  ["Docker", answering("docker version --format {{.Server.Version}}", "24.0.7"), /^Docker 24\.0\.7$/, /Docker 25/],
  ["compose", answering("docker compose version --short", "2.20.0"), /^compose 2\.20\.0$/, /2\.24/],
  ["buildx", answering("docker buildx version", new Error("is not a docker command")), /^no buildx$/, /buildx plugin/],
  [
    "Java",
    answering("java -version", 'openjdk version "11.0.2"'),
    /^Java 17 or later is not installed$/,
    /default-jre-headless/,
  ],
  [
    "Maven",
    { maven: () => "Maven (mvn) is not installed" },
    /^Maven \(mvn\) is not installed$/,
    /apt-get install maven/,
  ],
  ["Go", answering("go env GOVERSION", "go1.21.0"), /^Go is too old \(go1\.21\.0\)$/, /install Go 1\.26/],
  ["Go", answering("go env GOVERSION", undefined), /^there is no Go on PATH$/, /install Go 1\.26/],
];

for (const [name, change, found, fix] of failures) {
  test(`${name}: ${found.source} is found, with what to do`, async () => {
    const { required } = checks.find((check) => check.name === name) ?? {};
    const finding = await findingOf(name, { ...whole, ...change });
    assert.equal(finding.state, required === true ? "missing" : "optional");
    assert.match(finding.found, found);
    assert.match(finding.fix ?? "", fix);
    assert.notEqual(finding.neededFor, "");
  });
}

test("the ports of npm start are looked at, and not those of its options", async () => {
  const asked: string[] = [];
  const busyPorts: Machine["busyPorts"] = async (ports) => (asked.push(...Object.keys(ports)), []);
  await findingOf("ports", { ...whole, busyPorts });
  const { kafka: _kafka, etcd: _etcd, ...started } = defaultPorts;
  assert.deepEqual(asked, Object.keys(started));
  assert.ok(asked.includes("issuer"));
});

test("every check has a test that makes it fail", () => {
  assert.deepEqual([...new Set(failures.map(([name]) => name))].toSorted(), checks.map(({ name }) => name).toSorted());
});

test("only what npm start needs makes a machine unfit", async () => {
  assert.ok(isHealthy(await examine({ ...whole, maven: () => "no Maven" })));
  assert.ok(!isHealthy(await examine({ ...whole, nodeVersion: "22.0.0" })));
});

test("a program that does not answer is a finding, and the others are still examined", async () => {
  const slow = answering("java -version", new Error("java did not answer within 1500 ms"));
  const findings = await examine({ ...whole, ...slow });
  assert.equal(findings.find(({ name }) => name === "Java")?.found, "java did not answer within 1500 ms");
  assert.equal(findings.filter(({ state }) => state === "ok").length, checks.length - 1);
});

for (const host of ["127.0.0.1", "0.0.0.0", "::1"]) {
  test(`a port that a program holds on ${host} is found by the preflight of npm start, with the program`, async (t) => {
    const ports = await freeStackPorts();
    const server = createServer();
    const error = await new Promise<Error | undefined>((done) => {
      server.once("error", done).listen(ports.orders, host, () => done(undefined));
    });
    if (error !== undefined) return t.skip(`NOT TESTED: ${error.message}`);
    try {
      assert.deepEqual(
        (await busyPorts(ports)).map(({ name, port }) => [name, port]),
        [["orders", ports.orders]],
      );
      const { found } = await findingOf("ports", { ...whole, ports, busyPorts });
      assert.match(found, new RegExp(`${ports.orders} for orders: .*\\(pid ${process.pid}\\) listens there`));
    } finally {
      server.close();
    }
  });
}

test("a data folder of something else is found by the preflight of npm start", async () => {
  const dataDir = mkdtempSync(join(tmpdir(), "doctor-"));
  try {
    mkdirSync(join(dataDir, "postgres"));
    writeFileSync(join(dataDir, "postgres", "precious.txt"), "not ours");
    const { postgres } = thisMachine("/", dataDir, defaultPorts);
    const { state, found } = await findingOf("Postgres", { ...whole, dataDir, postgres });
    assert.equal(state, "missing");
    assert.match(found, /is no PostgreSQL data folder/);
  } finally {
    rmSync(dataDir, { recursive: true });
  }
});

test("the command prints one line for each check, or one JSON document", () => {
  const run = (...args: string[]) =>
    spawnSync(process.execPath, ["-C", "source", resolve(import.meta.dirname, "main.ts"), ...args], {
      encoding: "utf8",
      env: { ...process.env, FORCE_COLOR: undefined },
    });
  const text = run();
  for (const { name } of checks) assert.match(text.stdout, new RegExp(`^(ok|MISSING|not here) +${name} `, "m"));
  assert.equal(text.status, text.stdout.includes("npm start can run here.") ? 0 : 1);
  const { status, stdout } = run("--json");
  const json = JSON.parse(stdout) as { ok: boolean; checks: readonly Finding[] };
  assert.deepEqual(
    json.checks.map(({ name }) => name),
    checks.map(({ name }) => name),
  );
  assert.equal(status, json.ok ? 0 : 1);
});
