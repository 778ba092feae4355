import assert from "node:assert/strict";
import { after, test } from "node:test";
import { leaseSuite } from "../test/lease-suite.ts";
import { startMemoryApi } from "../test/memory-api.ts";
import { Kube, resourceOf } from "./kube.ts";
import { acquireLease } from "./leader.ts";

const api = await startMemoryApi();
after(() => api[Symbol.asyncDispose]());

leaseSuite({ name: "a server in memory", server: async () => api, namespace: "shop" });

void test("a process that was blocked past the deadline does not lead, even before its timers fire", async () => {
  const kube = new Kube({ access: async () => ({ url: api.url, namespace: "shop" }) });
  const lost = Promise.withResolvers<Error>();
  const times = { leaseMs: 2_000, deadlineMs: 1_000, everyMs: 100 };
  const options = { namespace: "shop", name: "blocked", identity: "first", onLost: lost.resolve, ...times };
  await using leadership = await acquireLease(kube, options);
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, times.deadlineMs + 100);
  assert.throws(() => leadership.check(), { code: "aborted" });
  await lost.promise;
});

void test("a write whose check throws reaches no server", async () => {
  const kube = new Kube({ access: async () => ({ url: api.url, namespace: "shop" }) });
  const things = resourceOf("v1", "things", "shop");
  const guarded = kube.guarded(() => {
    throw new Error("not now");
  });
  const thing = { metadata: { name: "one" } };
  await assert.rejects(guarded.create(things, thing), /not now/);
  await assert.rejects(guarded.get(things, "one"), { code: "not_found" });
});

void test("times that let two processes lead are refused", async () => {
  const kube = new Kube({ access: async () => ({ url: api.url, namespace: "shop" }) });
  const options = { namespace: "shop", name: "wrong", identity: "first", leaseMs: 1_000, deadlineMs: 1_000 };
  await assert.rejects(acquireLease(kube, options), /everyMs < deadlineMs < leaseMs/);
});
