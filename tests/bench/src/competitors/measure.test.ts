import assert from "node:assert/strict";
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { freePort } from "@plumbline/tools-engines";
import { measure, measureAnew } from "./measure.ts";
import type { Target } from "./targets.ts";

const skip = existsSync("/proc/stat") ? false : "it reads proc_stat(5)";

/** A target that notes each of its starts and is always busy, and a generator that answers soon. */
async function world(t: { after(work: () => void): void }) {
  const folder = mkdtempSync(join(tmpdir(), "plumbline-measure-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const [starts, generator, port] = [join(folder, "starts"), join(folder, "generator"), await freePort()];
  const load = { calls: 100, failed: 0, seconds: 1, cpuSeconds: 0, p50: 1, p99: 1, p999: 1, max: 1 };
  writeFileSync(generator, `#!/bin/sh\nsleep 0.05\necho '${JSON.stringify(load)}'\n`);
  chmodSync(generator, 0o700);
  const program = `
    fs.appendFileSync(process.argv[1], "started ");
    net.createServer().listen(${port}, "127.0.0.1");
    const work = () => { for (const until = Date.now() + 5; Date.now() < until;); setImmediate(work); };
    work();
  `;
  const programs = [{ command: process.execPath, args: ["-e", program, starts], env: {}, port }];
  const target: Target = { name: "a server", group: "gateway", mode: "full", programs };
  const ended: Target[] = [];
  const onEnd = async (target: Target) => void ended.push(target);
  const plan = { generator, folder, rounds: 3, ms: 10, rate: 0, onEnd };
  return { target, plan, ended, starts: () => readFileSync(starts, "utf8").trim().split(" ").length };
}

test("the processes of the first round stay for all", { skip }, async (t) => {
  const { target, plan, ended, starts } = await world(t);
  const [measured] = await measure([target], plan);
  assert.deepEqual([measured?.closed.length, starts(), ended.length], [3, 1, 1]);
});

test("each round has processes of its own if they shall be new", { skip }, async (t) => {
  const { target, plan, ended, starts } = await world(t);
  const [measured] = await measureAnew([target], plan);
  assert.deepEqual([measured?.closed.length, starts(), ended.length], [3, 3, 3]);
  assert.equal(measured?.target, target);
});
