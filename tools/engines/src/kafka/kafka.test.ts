import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { missingForJvm } from "./java.ts";
import { answers } from "./probe.ts";
import { startKafka } from "./start-kafka.ts";
import { startTemporaryKafka } from "./test-kafka.ts";

const missing = missingForJvm();
const skip = missing === undefined ? false : `needs a JVM: ${missing}`;
const clusterOf = (dataDir: string) =>
  /cluster\.id=(\S+)/.exec(readFileSync(join(dataDir, "data", "meta.properties"), "utf8"))?.[1] ?? "";

async function eventually(condition: () => Promise<boolean> | boolean, what: string): Promise<void> {
  const until = performance.now() + 20_000;
  while (!(await condition())) {
    assert.ok(performance.now() < until, what);
    await sleep(20);
  }
}

test("a broker has the same cluster id after a stop and a start", { skip }, async () => {
  const dataDir = mkdtempSync(join(tmpdir(), "kafka-test-"));
  try {
    const first = await startKafka({ dataDir });
    const cluster = clusterOf(dataDir);
    assert.equal(await answers(first.port, cluster), true);
    assert.equal(await answers(first.port, "another-cluster"), false);
    await first[Symbol.asyncDispose]();
    assert.equal(await answers(first.port, cluster), false);
    await using second = await startKafka({ dataDir, port: first.port });
    assert.equal(await answers(second.port, cluster), true);
  } finally {
    rmSync(dataDir, { recursive: true, force: true });
  }
});

test("a broker that was killed starts again on its folder", { skip }, async () => {
  const dataDir = mkdtempSync(join(tmpdir(), "kafka-test-"));
  // The registration of a killed broker lasts for its session: 9 s by default.
  const settings = { "broker.session.timeout.ms": 2_000, "broker.heartbeat.interval.ms": 500 };
  try {
    const first = await startKafka({ dataDir, settings });
    first.process.kill("SIGKILL");
    await first.exited;
    await using second = await startKafka({ dataDir, port: first.port, settings });
    assert.equal(await answers(second.port, clusterOf(dataDir)), true);
  } finally {
    rmSync(dataDir, { recursive: true, force: true });
  }
});

test("a port in use is reported as port_taken", { skip }, async () => {
  const dataDir = mkdtempSync(join(tmpdir(), "kafka-test-"));
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address() as { port: number };
  try {
    await assert.rejects(startKafka({ dataDir, port }), { code: "port_taken" });
  } finally {
    server.close();
    rmSync(dataDir, { recursive: true, force: true });
  }
});

test("when the process that started it is killed, the broker ends and its folder is removed", { skip }, async () => {
  const script = `
    import { startTemporaryKafka } from ${JSON.stringify(join(import.meta.dirname, "test-kafka.ts"))};
    const broker = await startTemporaryKafka();
    console.log(broker.pid);
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const pid = Number(await new Promise<string>((read) => child.stdout.setEncoding("utf8").once("data", read)));
  const folder = /(\S+)\/server\.properties/.exec(
    execFileSync("ps", ["-o", "args=", "-p", String(pid)], { encoding: "utf8" }),
  )?.[1];
  assert.ok(folder !== undefined && existsSync(folder));
  child.kill("SIGKILL");
  await eventually(() => !existsSync(folder), "the folder is still there");
  assert.throws(() => process.kill(pid, 0));
});

test("disposing a temporary broker removes its folder", { skip }, async () => {
  const broker = await startTemporaryKafka();
  const line = execFileSync("ps", ["-o", "args=", "-p", String(broker.pid)], { encoding: "utf8" });
  const folder = /(\S+)\/server\.properties/.exec(line)?.[1] as string;
  assert.equal(existsSync(folder), true);
  await broker[Symbol.asyncDispose]();
  assert.equal(existsSync(folder), false);
});
