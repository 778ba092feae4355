import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { text } from "node:stream/consumers";
import test from "node:test";
import { fileURLToPath } from "node:url";

function run(mode: string, environment: Readonly<Record<string, string>> = {}) {
  const program = fileURLToPath(new URL("../test/programs/talk.ts", import.meta.url));
  return spawn(process.execPath, ["-C", "source", program], {
    env: { ...process.env, MODE: mode, NODE_OPTIONS: "", NODE_TEST_CONTEXT: undefined, ...environment },
    stdio: ["ignore", "pipe", "pipe"],
    timeout: 20_000,
  });
}

test("lines go to standard output, and telemetry does not keep a process alive, disposed or not", async () => {
  for (const mode of ["dispose", "nothing"]) {
    const child = run(mode);
    const [out, err, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "exit")]);
    assert.equal(code, 0, err);
    assert.equal(err, "");
    for (const line of out.trimEnd().split("\n"))
      assert.equal((JSON.parse(line) as { service: string }).service, "talk");
  }
});

test("a process that exits at once has written all its lines", async () => {
  const child = run("exit");
  const [out, [code]] = await Promise.all([text(child.stdout), once(child, "exit")]);
  assert.equal(code, 1);
  assert.match(out.trimEnd().split("\n").at(-1) ?? "", /"line":99/);
});

test("a process whose reader is closed continues", async () => {
  const child = run("reader gone");
  child.stdout.once("data", () => child.stdout.destroy());
  const [err, [code]] = await Promise.all([text(child.stderr), once(child, "exit")]);
  assert.equal(err.trim(), "survived");
  assert.equal(code, 0);
});

test("a collector that takes everything and never answers does not keep a process alive", async () => {
  const mute = createServer((socket) => void socket.resume().on("error", () => {}));
  mute.listen(0, "127.0.0.1");
  await once(mute, "listening");
  try {
    const { port } = mute.address() as AddressInfo;
    const child = run("spans", { COLLECTOR: `http://127.0.0.1:${port}` });
    const [out, [code]] = await Promise.all([text(child.stdout), once(child, "exit")]);
    assert.equal(code, 0);
    const [flushed = "", ...others] = out.split("\n").filter((line) => line.includes("spans were lost"));
    assert.match(flushed, /the collector was too slow/);
    assert.deepEqual(others, []);
    // An export gives up by itself after 5 s; the process must not wait for that.
    const lastAt = Date.parse((JSON.parse(flushed) as { time: string }).time);
    assert.ok(Date.now() - lastAt < 3_000, `${Date.now() - lastAt} ms`);
  } finally {
    mute.close();
  }
});
