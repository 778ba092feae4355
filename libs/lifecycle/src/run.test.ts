import assert from "node:assert/strict";
import test from "node:test";
import { Child, type Ended } from "../test/child.ts";

for (const name of ["SIGTERM", "SIGINT"] as const) {
  test(`${name} ends main, closes the resources in reverse, and the exit code is 0`, async () => {
    using child = new Child("service");
    await child.says("ready");
    child.kill(name);
    const { code, out, err } = await child.ended;
    assert.equal(code, 0, err);
    assert.deepEqual(lines(out), [
      "open database",
      "open server",
      "ready",
      "stopping",
      "close server",
      "close database",
      "over",
    ]);
    assert.equal(err, "");
  });
}

test("a main that returns without a signal exits with 0", async () => {
  assert.equal((await ended("returns")).code, 0);
});

test("a failure to open closes what was opened, is printed once with its cause, and the exit code is 1", async () => {
  const { code, out, err } = await ended("fails to open");
  assert.equal(code, 1);
  assert.deepEqual(lines(out), ["open database", "close database", "over"]);
  assert.equal(count(err, "the broker cannot be reached"), 1, err);
  assert.match(err, /ECONNREFUSED/);
});

for (const mode of ["fails to open", "throws uncaught", "rejects unhandled"]) {
  test(`a service that ${mode} reports to onError instead of standard error`, async () => {
    const { code, out, err } = await ended(mode, { REPORTER: "says" });
    assert.equal(code, 1);
    assert.equal(count(out, "reported: Error: "), 1);
    assert.equal(err, "");
  });
}

test("a reporter that throws does not hide the error", async () => {
  const { code, err } = await ended("fails to open", { REPORTER: "fails" });
  assert.equal(code, 1);
  assert.match(err, /the broker cannot be reached/);
  assert.match(err, /the reporter broke/);
});

for (const mode of ["rejects unhandled", "throws uncaught"]) {
  test(`a service that ${mode} exits at once with 1 and prints the error`, async () => {
    const { code, err } = await ended(mode);
    assert.equal(code, 1);
    assert.equal(count(err, "Error: not caught"), 1, err);
  });
}

test("a second signal exits at once with 1", async () => {
  using child = new Child("service", { MODE: "never ends" });
  await child.says("ready");
  child.kill("SIGINT");
  await child.says("stopping");
  const { code, err } = await child.killUntilEnded("SIGINT");
  assert.equal(code, 1);
  assert.match(err, /received a second SIGINT/);
});

test("a signal that arrives twice within a moment counts once, since npm passes on the terminal's Ctrl-C", async () => {
  using child = new Child("service", { MODE: "takes a moment to stop" });
  await child.says("ready");
  child.kill("SIGINT");
  await child.says("stopping");
  child.kill("SIGINT");
  const { code, err } = await child.ended;
  assert.equal(code, 0, err);
});

test("a shutdown that exceeds the grace period exits with 1 and names the limit", async () => {
  using child = new Child("service", { MODE: "never ends", GRACE_MS: "200" });
  await child.says("ready");
  child.kill("SIGTERM");
  const { code, err } = await child.ended;
  assert.equal(code, 1);
  assert.match(err, /did not exit within 200 ms/);
});

test("a resource that main left open cannot keep the process beyond the grace period", async () => {
  using child = new Child("service", { MODE: "leaks a timer", GRACE_MS: "300" });
  await child.says("ready");
  child.kill("SIGTERM");
  const { code, out, err } = await child.ended;
  assert.match(out, /over/);
  assert.equal(code, 1, err);
});

test("a failure to close exits with 1", async () => {
  using child = new Child("service", { MODE: "fails to close" });
  await child.says("ready");
  child.kill("SIGTERM");
  const { code, out, err } = await child.ended;
  assert.equal(code, 1);
  assert.match(out, /close server\nclose database/);
  assert.equal(count(err, "the server cannot be closed"), 1);
});

test("a signal during opening closes what was opened, and the exit code is 0", async () => {
  using child = new Child("service", { MODE: "is cancelled while opening" });
  await child.says("ready");
  child.kill("SIGTERM");
  const { code, out, err } = await child.ended;
  assert.equal(code, 0, err);
  assert.match(out, /close server\nclose database/);
});

test("a child stops when the parent that holds its IPC channel exits", async () => {
  using child = new Child("service", {}, true);
  await child.says("ready");
  child.process.disconnect();
  const { code, out } = await child.ended;
  assert.equal(code, 0);
  assert.match(out, /close server\nclose database/);
});

test("an IPC channel does not keep a process alive whose main has returned", async () => {
  using child = new Child("service", { MODE: "returns" }, true);
  assert.equal((await child.ended).code, 0);
});

async function ended(mode: string, env: Record<string, string> = {}): Promise<Ended> {
  using child = new Child("service", { MODE: mode, ...env });
  return await child.ended;
}

function lines(text: string): string[] {
  return text.trim().split("\n");
}

function count(text: string, part: string): number {
  return text.split(part).length - 1;
}
