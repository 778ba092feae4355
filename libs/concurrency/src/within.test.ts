import assert from "node:assert/strict";
import { getEventListeners, once } from "node:events";
import { connect, createServer } from "node:net";
import { test } from "node:test";
import { settle } from "../test/explore.ts";
import { stateOf } from "../test/helpers.ts";
import { within } from "./within.ts";

const never = new Promise<never>(() => {});

test("it settles as the promise does", async () => {
  const failure = new Error("no");
  assert.equal(await within(Promise.resolve(1), { ms: 60_000 }), 1);
  await assert.rejects(within(Promise.reject(failure), { ms: 60_000 }), failure);
  assert.equal(await within(Promise.resolve(2)), 2);
});

test("it rejects with a TimeoutError that names the work when the time is up", async () => {
  await assert.rejects(within(never, { ms: 1, what: "the query" }), {
    name: "TimeoutError",
    message: "the query did not finish within 1 ms",
  });
});

test("it rejects with the signal's reason, also when the promise has settled before", async () => {
  const reason = new Error("stop");
  const controller = new AbortController();
  const waiting = within(never, { signal: controller.signal });
  assert.equal(await stateOf(waiting), "pending");
  controller.abort(reason);
  await assert.rejects(waiting, reason);
  await assert.rejects(within(Promise.resolve(1), { signal: controller.signal }), reason);
});

test("a promise that has settled is in time, however little time there is", async () => {
  assert.equal(await within(Promise.resolve(1), { ms: 0 }), 1);
  assert.equal(await within(Promise.resolve(1), { ms: -5 }), 1);
});

test("a failure after the wait has ended is not an unhandled rejection", async (t) => {
  const unhandled = t.mock.fn();
  process.once("unhandledRejection", unhandled);
  const late = Promise.withResolvers<void>();
  await assert.rejects(within(late.promise, { ms: 1 }), { name: "TimeoutError" });
  late.reject(new Error("late"));
  await settle();
  await settle();
  process.off("unhandledRejection", unhandled);
  assert.equal(unhandled.mock.callCount(), 0);
});

test("a wait that has ended leaves neither timer nor listener", async () => {
  const timers = (): number => process.getActiveResourcesInfo().filter((resource) => resource === "Timeout").length;
  const before = timers();
  const { signal } = new AbortController();
  const work = Promise.withResolvers<void>();
  const waiting = within(work.promise, { ms: 60_000, signal });
  assert.equal(timers(), before + 1);
  work.resolve();
  await waiting;
  assert.equal(timers(), before);
  assert.equal(getEventListeners(signal, "abort").length, 0);
});

test("a time that is not a number is refused", async () => {
  await assert.rejects(within(never, { ms: Number.NaN }), RangeError);
});

test("an answer that arrived while the process was busy is in time", async () => {
  await using server = createServer((socket) => socket.end("answer")).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  const socket = connect(port, "127.0.0.1");
  await once(socket, "connect");
  const answer = within(once(socket, "data"), { ms: 20 });
  await settle(); // The server writes.
  const end = performance.now() + 50;
  while (performance.now() < end); // The timer is late, and the answer is in the socket.
  assert.equal(String((await answer)[0]), "answer");
});
