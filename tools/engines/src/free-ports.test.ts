import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createServer } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { freePorts } from "./free-ports.ts";

test("no port is given twice, not even to two processes, and none is in the range of outgoing connections", async () => {
  const script = `
    import { freePorts } from ${JSON.stringify(join(import.meta.dirname, "free-ports.ts"))};
    for (let i = 0; i < 100; i++) console.log((await freePorts(10)).join(" "));
    process.stdin.resume(); // Keeps its ports until the other process has some too.
    process.stdin.on("end", () => process.exit(0));`;
  const child = promisify(execFile)(process.execPath, ["--input-type=module", "-e", script]);
  const mine: number[] = [];
  for (let i = 0; i < 100; i++) mine.push(...(await freePorts(10)));
  child.child.stdin?.end();
  const { stdout } = await child;
  const all = [...mine, ...stdout.trim().split(/\s+/).map(Number)];
  assert.equal(all.length, 2_000);
  assert.equal(new Set(all).size, all.length);
  assert.ok(all.every((port) => port >= 20_000 && port < 32_768));
});

test("ports are consecutive, and each can be listened on", async () => {
  const ports = await freePorts(11);
  assert.deepEqual(
    ports,
    ports.map((_, index) => (ports[0] as number) + index),
  );
  const servers = ports.map((port) => createServer().listen(port, "127.0.0.1"));
  await Promise.all(servers.map((server) => new Promise((resolve) => server.once("listening", resolve))));
  for (const server of servers) server.close();
});

test("a claim keeps no process alive", async () => {
  const script = `
    import { freePort } from ${JSON.stringify(join(import.meta.dirname, "free-ports.ts"))};
    await freePort();`;
  await promisify(execFile)(process.execPath, ["--input-type=module", "-e", script], { timeout: 20_000 });
});
