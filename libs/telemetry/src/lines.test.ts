import assert from "node:assert/strict";
import { Writable } from "node:stream";
import test from "node:test";
import { Memory } from "../test/memory.ts";
import { Lines } from "./lines.ts";
import { startTelemetry } from "./start-telemetry.ts";

/** A reader that reads nothing until `release` is called, and then everything. */
function slow() {
  const taken: string[] = [];
  let release = (): void => {};
  const stream = new Writable({
    decodeStrings: false,
    write(chunk: string, _encoding, done) {
      taken.push(chunk);
      release = done;
    },
  });
  return { stream, taken, release: () => release() };
}

test("a line is written at once, so that an exit loses none", () => {
  const out = new Memory();
  new Lines(out, String).write("one\n");
  assert.deepEqual(out.raw, ["one\n"]);
});

test("a slow reader costs lines, not memory, and the lines are counted", async () => {
  const { stream, taken, release } = slow();
  const lines = new Lines(stream, (dropped) => `${dropped} dropped`);
  const lost: string[] = [];
  lines.onDropped = (reader) => lost.push(reader);
  const line = `${"x".repeat(1024 * 1024 - 1)}\n`;
  for (let count = 0; count < 20; count++) lines.write(line);
  assert.ok(stream.writableLength <= 6 * 1024 * 1024, `${stream.writableLength} bytes wait`);
  for (let count = 0; count < 20 && taken.at(-1) !== "15 dropped\n"; count++) {
    release();
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.equal(taken.at(-1), "15 dropped\n");
  assert.deepEqual(lost, Array(15).fill("slow"));
});

test("lines of the audit log have room when a slow reader has none for others, up to a bound", () => {
  const { stream } = slow();
  const lines = new Lines(stream, String);
  const line = `${"x".repeat(1024 * 1024 - 1)}\n`;
  for (let count = 0; count < 20; count++) lines.write(line);
  const audited = Array.from({ length: 20 }, () => lines.writeAudit(`${"a".repeat(512 * 1024)}\n`));
  assert.ok(audited[0], "the first line of the audit log is written");
  assert.ok(!audited.at(-1), "the last one is not");
  assert.ok(stream.writableLength <= 7 * 1024 * 1024, `${stream.writableLength} bytes wait`);
});

test("lines of the audit log are written at any level of the log", () => {
  const out = new Memory();
  const { audit } = startTelemetry({ service: "test", destination: out, logLevel: "error" });
  assert.ok(audit({ reason: "TOKEN_INVALID" }));
  assert.match(out.raw.join(""), /"message":"audit","reason":"TOKEN_INVALID"/);
});

test("lines that are dropped have a metric, by what their reader is", async () => {
  const stuck = new Writable({ write: () => undefined });
  const { logger, metrics } = startTelemetry({ service: "test", destination: stuck });
  const count = async () => {
    const { body } = await metrics.text();
    return Number(/^telemetry_dropped_log_lines_total\{reader="slow"\} (\d+)$/m.exec(body)?.[1] ?? 0);
  };
  // A line has a bound of its own, so it takes many to fill what may wait.
  const text = "x".repeat(1_000_000);
  for (let written = 0; (await count()) === 0; written++) {
    assert.ok(written < 10_000, "no line is dropped");
    for (let more = 0; more < 100; more++) logger.info("line", { text });
  }
  const before = await count();
  for (let more = 0; more < 7; more++) logger.info("line", { text });
  assert.equal(await count(), before + 7);
});

test("a closed reader costs lines, not the process", async () => {
  const gone = new Writable({
    write: (_chunk, _encoding, done) => done(Object.assign(new Error("EPIPE"), { code: "EPIPE" })),
  });
  const lines = new Lines(gone, String);
  lines.write("one\n");
  await lines.flush();
  const lost: string[] = [];
  lines.onDropped = (reader) => lost.push(reader);
  // The error comes by an event, some turns later.
  while (lost.length === 0) {
    lines.write("two\n");
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.deepEqual(lost, ["closed"]);
});

test("flush resolves when the reader has everything", async () => {
  const { stream, taken, release } = slow();
  const lines = new Lines(stream, String);
  lines.write("one\n");
  let flushed = false;
  const flush = lines.flush().then(() => (flushed = true));
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(flushed, false);
  release();
  await new Promise((resolve) => setImmediate(resolve));
  release();
  await flush;
  assert.deepEqual(taken, ["one\n", ""]);
});
