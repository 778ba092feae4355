import assert from "node:assert/strict";
import { test } from "node:test";
import { noTelemetry } from "@plumbline/telemetry";
import type { Handler } from "../broker.ts";
import { eventually, gate, group, message } from "../conformance/test-context.ts";
import { NotDueError } from "../errors.ts";
import { Assignment } from "./assignment.ts";
import { createBacklog } from "./backlog.ts";

function assign(handler: Handler) {
  const options = group("test", { concurrency: 2, capacity: 4, closeMs: 60_000 });
  const backlog = createBacklog(options);
  const errors: unknown[] = [];
  const logger = { ...noTelemetry.logger, error: (_: string, error: unknown) => void errors.push(error) };
  const consumer = { topic: "t", options, handler, backlog, logger, onProgress: () => undefined };
  const assignment = new Assignment(consumer, 0, 0n);
  const add = (offset: bigint, key: string): void => {
    const permit = backlog.permits.tryAcquire();
    assert.ok(permit);
    assignment.add(offset, message(key), permit);
  };
  return { assignment, backlog, errors, add };
}

/** Handles a message until its signal aborts. */
const untilAborted: Handler = ({ signal }) =>
  new Promise((_, reject) => signal.addEventListener("abort", () => reject(new Error("aborted"))));

test("losing a partition while it is being stopped ends the stop at once", {
  timeout: 10_000,
}, async () => {
  const { assignment, add } = assign(untilAborted);
  add(0n, "a");
  await new Promise((resolve) => setImmediate(resolve));
  const stopped = assignment.stop();
  await assignment.lose(new Error("lost"));
  await stopped;
  assert.equal(assignment.committable, 0n);
});

test("stopping releases the permits of messages that never ran, and keeps the handled ones", async () => {
  const [first, finish] = [gate(), gate()];
  const { assignment, backlog, add } = assign(async () => {
    first.open();
    await finish.passed;
  });
  add(0n, "a");
  add(1n, "a");
  await first.passed;
  const stopped = assignment.stop();
  finish.open();
  await stopped;
  assert.equal(assignment.committable, 1n);
  assert.equal(assignment.position, 2n);
  await eventually(() => backlog.permits.available === backlog.capacity, "the permits");
});

test("a failed message is logged at each attempt, but a message that is not due yet is not", async () => {
  let attempts = 0;
  const failure = new Error("database is down");
  const { assignment, errors, add } = assign(async () => {
    attempts++;
    if (attempts === 1) throw failure;
    if (attempts === 2) throw new NotDueError(1);
  });
  add(0n, "a");
  await eventually(() => assignment.committable === 1n, "the third attempt");
  assert.deepEqual(errors, [failure]);
});
