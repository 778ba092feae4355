import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { connect, createServer } from "node:net";
import { networkInterfaces, tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { sleep } from "@plumbline/concurrency";
import { GreeterService } from "@plumbline/contracts";
import { codeOf } from "@plumbline/errors";
import { connect as connectRpc, createClient } from "@plumbline/rpc";
import { noTelemetry } from "@plumbline/telemetry";
import { credentialsOf, freeStackPorts, type Ports, useCredentials } from "@plumbline/tools-stack";
import { call, post } from "../src/http.ts";
import { root } from "../src/stack.ts";

interface Start extends AsyncDisposable {
  readonly process: ChildProcess;
  readonly base: string;
  readonly ports: Ports;
  readonly ended: Promise<{ code: number | null; signal: string | null }>;
  output(): string;
  printed(pattern: RegExp, ms?: number): Promise<void>;
}

/** Runs `npm start` like a user, on other ports and with a data folder of its own. */
async function start(
  dataDir = mkdtempSync(join(tmpdir(), "plumbline-start-")),
  given?: Ports,
  options: readonly string[] = [],
): Promise<Start & { dataDir: string }> {
  const ports = given ?? (await freeStackPorts());
  const { gateway: port } = ports;
  useCredentials(`http://127.0.0.1:${port}`, credentialsOf(`http://127.0.0.1:${ports.issuer}`));
  const program = ["tools/with-node.sh", "-C", "source", "tools/stack/src/main.ts"];
  const child = spawn("sh", [...program, "--ports-from", String(port), "--data", dataDir, ...options], {
    cwd: root,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (text: string) => (output += text));
  const ended = new Promise<{ code: number | null; signal: string | null }>((resolve) =>
    child.once("close", (code, signal) => resolve({ code, signal })),
  );
  return {
    process: child,
    base: `http://127.0.0.1:${port}`,
    ports,
    dataDir,
    ended,
    output: () => output,
    async printed(pattern, ms = 60_000) {
      const until = performance.now() + ms;
      while (!pattern.test(output)) {
        if (performance.now() > until || child.exitCode !== null)
          throw new Error(`never printed ${pattern}:\n${output}`);
        await sleep(20);
      }
    },
    async [Symbol.asyncDispose]() {
      child.kill("SIGTERM");
      await ended;
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

/** Returns the lines of curl that do not work as they are printed. */
async function failing(lines: readonly string[]): Promise<string[]> {
  const failed: string[] = [];
  for (const line of lines) {
    const curl = spawn("sh", ["-c", `${line} --fail --silent --max-time 20`], {
      cwd: root,
      stdio: ["ignore", "ignore", "inherit"],
    });
    if ((await new Promise((resolve) => curl.once("close", resolve))) !== 0) failed.push(line);
  }
  return failed;
}

/** Returns true if greeter answers a client without TLS. */
async function isPlain({ ports }: Start): Promise<boolean> {
  await using channel = await connectRpc(`127.0.0.1:${ports.greeter}`, noTelemetry, { timeoutMs: 20_000 });
  try {
    return (await createClient(GreeterService, channel).sayHello({ name: "Ada" })).message === "Hello Ada";
  } catch (error) {
    assert.equal(codeOf(error), "unavailable");
    return false;
  }
}

async function gone(base: string, ms = 20_000): Promise<void> {
  const until = performance.now() + ms;
  while (
    await call(`${base}/healthz`).then(
      () => true,
      () => false,
    )
  ) {
    if (performance.now() > until) throw new Error(`${base} still answers`);
    await sleep(50);
  }
}

const carrier = /^ {2}calls between services +(http2|grpc-js) /m;

test("the curl lines it prints work, Ctrl-C ends everything with code 0, and the next start, on the other transport, has the data", async () => {
  const first = await start();
  await first.printed(/Ready after/);
  const curls = [...first.output().matchAll(/^ {2}(curl .*)$/gm)].map((match) => match[1] as string);
  assert.equal(curls.length, 3);
  assert.deepEqual(await failing(curls), []);
  assert.doesNotMatch(first.output(), /WARNING/);
  assert.equal(await isPlain(first), false);
  const anonymous = await fetch(`${first.base}/v1/orders`);
  assert.equal(anonymous.status, 401);
  for (const name of ["ada", "bob"]) assert.equal(statSync(join(first.dataDir, "tokens", name)).mode & 0o777, 0o600);
  const [, ofDefault = ""] = carrier.exec(first.output()) ?? [];
  assert.notEqual(ofDefault, "", first.output());
  first.process.kill("SIGINT");
  assert.deepEqual(await first.ended, { code: 0, signal: null }, first.output());
  await gone(first.base, 1_000);

  const other = ofDefault === "http2" ? "grpc-js" : "http2";
  await using second = await start(first.dataDir, undefined, ["--transport", other]);
  await second.printed(/Ready after/);
  assert.equal(carrier.exec(second.output())?.[1], other, second.output());
  const listed = await call(`${second.base}/v1/orders?customerId=ada`);
  assert.equal((listed.json["orders"] as unknown[]).length, 1);
});

test("--no-auth warns, asks for no token, and its curl lines work; --plain leaves TLS out", async () => {
  await using open = await start(undefined, undefined, ["--no-auth", "--plain"]);
  await open.printed(/Ctrl-C stops everything/);
  assert.match(open.output(), /WARNING: --no-auth asks for no access tokens/);
  const curls = [...open.output().matchAll(/^ {2}(curl .*)$/gm)].map((match) => match[1] as string);
  assert.equal(curls.length, 3);
  assert.ok(!curls.some((line) => line.includes("-H @")));
  assert.equal(await isPlain(open), true);
  assert.deepEqual(await failing(curls), []);
});

const otherAddresses = Object.values(networkInterfaces())
  .flatMap((addresses) => addresses ?? [])
  .filter(({ family, internal }) => family === "IPv4" && !internal)
  .map(({ address }) => address);

test("no port of the stack can be reached from another machine (negative 46)", {
  skip: otherAddresses.length === 0 && "this machine has no address beside the loopback",
}, async () => {
  await using stack = await start();
  await stack.printed(/Ready after/);
  const { kafka: _kafka, etcd: _etcd, ...ports } = stack.ports;
  for (const host of otherAddresses) {
    for (const [name, port] of Object.entries(ports)) {
      const socket = connect({ host, port });
      await assert.rejects(once(socket, "connect"), { code: "ECONNREFUSED" }, `${name} at ${host}:${port}`);
    }
  }
});

/** Looks into /proc. A process may end meanwhile, and then has nothing to show. */
function unlessGone<T>(look: () => T, gone: T): T {
  try {
    return look();
  } catch {
    return gone;
  }
}

/** Returns the processes below one, and itself. */
function family(pid: number): number[] {
  const children = unlessGone(() => readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8"), "").trim();
  return [pid, ...(children === "" ? [] : children.split(" ").flatMap((child) => family(Number(child))))];
}

/** Returns the addresses at which processes listen, as `ss -ltn` has them: in hexadecimal. */
function listeningAddresses(pids: readonly number[]): Set<string> {
  const sockets = new Set<string>();
  for (const pid of pids) {
    for (const fd of unlessGone(() => readdirSync(`/proc/${pid}/fd`), [])) {
      const target = unlessGone(() => readlinkSync(`/proc/${pid}/fd/${fd}`), "");
      const inode = /^socket:\[(\d+)\]$/.exec(target)?.[1];
      if (inode !== undefined) sockets.add(inode);
    }
  }
  const rows = ["tcp", "tcp6"].flatMap((file) => readFileSync(`/proc/net/${file}`, "utf8").split("\n").slice(1));
  const cells = rows.map((row) => row.trim().split(/\s+/));
  const listening = cells.filter((row) => row[3] === "0A" && sockets.has(row[9] ?? ""));
  return new Set(listening.map((row) => row[1]?.split(":")[0] ?? ""));
}

test("every socket of the stack listens on the loopback address only (negative 46)", {
  skip: process.platform !== "linux" && "needs /proc",
}, async () => {
  await using stack = await start();
  await stack.printed(/Ready after/);
  const addresses = listeningAddresses(family(stack.process.pid ?? assert.fail("no process")));
  const loopback = ["0100007F", "00000000000000000000000001000000", "0000000000000000FFFF00000100007F"];
  assert.ok(addresses.has("0100007F"));
  assert.deepEqual(
    [...addresses].filter((address) => !loopback.includes(address)),
    [],
  );
});

test("when the supervisor is killed its children end, and the next start recovers the data folder", async () => {
  const first = await start();
  await first.printed(/Ready after/);
  await post(`${first.base}/v1/orders`, { customerId: "survivor", items: [{ sku: "tea", quantity: 1 }] });
  first.process.kill("SIGKILL");
  await gone(first.base);

  await using second = await start(first.dataDir);
  await second.printed(/Ready after/);
  const listed = await call(`${second.base}/v1/orders?customerId=survivor`);
  assert.equal((listed.json["orders"] as unknown[]).length, 1);
});

test("a port in use is named, with what to do, and no process keeps running", async () => {
  const server = createServer();
  const ports = await freeStackPorts();
  await new Promise<void>((resolve) => server.listen(ports.orders, "127.0.0.1", resolve));
  await using refused = await start(undefined, ports);
  assert.equal((await refused.ended).code, 1);
  assert.match(refused.output(), new RegExp(`${ports.orders} for orders.*\\n.*lsof.*--ports-from`, "s"));
  server.close();
});

test("another folder as data folder is refused, with what to do, and not changed", async () => {
  const dataDir = mkdtempSync(join(tmpdir(), "plumbline-broken-"));
  const postgres = join(dataDir, "postgres");
  mkdirSync(postgres);
  writeFileSync(join(postgres, "precious.txt"), "not ours");
  await using refused = await start(dataDir);
  assert.equal((await refused.ended).code, 1);
  assert.match(
    refused.output(),
    /is no PostgreSQL data folder\. Nothing was changed: choose another folder, or delete this one/,
  );
  assert.equal(readFileSync(join(postgres, "precious.txt"), "utf8"), "not ours");
  assert.doesNotMatch(refused.output(), /\bat .*\.ts:\d+/);
});
