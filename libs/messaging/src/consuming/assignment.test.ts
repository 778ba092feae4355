import assert from "node:assert/strict";
import { test } from "node:test";
import { noTelemetry } from "@plumbline/telemetry";
import type { Handler } from "../broker.ts";
import { eventually, gate, group, message } from "../conformance/test-context.ts";
import { Assignment } from "./assignment.ts";
import { createBacklog } from "./backlog.ts";

function assign(handler: Handler, options = group("test", { concurrency: 2, capacity: 4, closeMs: 60_000 })) {
  const backlog = createBacklog(options);
  const consumer = { topic: "t", options, handler, backlog, logger: noTelemetry.logger, onProgress: () => undefined };
  const assignment = new Assignment(consumer, 0, 0n);
  const add = (offset: bigint, key: string): void => {
    const place = backlog.places.tryAcquire();
    assert.ok(place);
    assignment.add(offset, message(key), place);
  };
  return { assignment, backlog, add };
}

/** Runs until its signal aborts. */
const obedient: Handler = ({ signal }) =>
  new Promise((_, reject) => signal.addEventListener("abort", () => reject(new Error("aborted"))));

test("a partition lost while it is being stopped ends the stop: nobody waits out the bound", {
  timeout: 10_000,
}, async () => {
  const { assignment, add } = assign(obedient);
  add(0n, "a");
  await new Promise((resolve) => setImmediate(resolve));
  const stopped = assignment.stop();
  await assignment.lose(new Error("lost"));
  await stopped;
  assert.equal(assignment.committable, 0n);
});

test("stopping hands places back for what never ran, and keeps what was handled", async () => {
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
  await eventually(() => backlog.places.available === backlog.capacity, "the places");
});
