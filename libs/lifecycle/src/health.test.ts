import assert from "node:assert/strict";
import test from "node:test";
import { derive } from "@plumbline/concurrency";
import { Health, type Status } from "./health.ts";

test("a service without dependencies is serving once it is ready", async () => {
  const health = new Health();
  assert.equal(await health.status(), "NOT_SERVING");
  health.ready();
  assert.equal(await health.status(), "SERVING");
});

test("a service is ready once every dependency was reached, and a later loss does not change that", async () => {
  let database = false;
  let broker = false;
  const health = new Health({ database: reachable(() => database), broker: reachable(() => broker) });
  health.ready();
  assert.equal(await health.status(), "NOT_SERVING");
  database = true;
  assert.equal(await health.status(), "NOT_SERVING");
  assert.deepEqual(health.report(), { database: true, broker: false });
  // They need not be reachable at the same moment.
  database = false;
  broker = true;
  assert.equal(await health.status(), "SERVING");
  broker = false;
  assert.equal(await health.status(), "SERVING");
});

test("a dependency that answers and cannot be used makes the service unready until it can be", async () => {
  let problem: string | undefined;
  const check = async () => {
    if (problem !== undefined) throw new Error(problem);
  };
  const health = new Health({ database: check }, { unfit: (error) => String(error).includes("read-only") });
  health.ready();
  using watching = derive();
  const seen: Status[] = [];
  const watched = (async () => {
    for await (const status of health.watch(watching)) seen.push(status);
  })();
  const becomes = async (expected: Status, ask: () => Promise<unknown>) => {
    while ((await health.status()) !== expected) {
      await ask();
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  };
  await becomes("SERVING", async () => undefined);
  problem = "connection refused";
  while (health.report()["database"] === true) await health.refresh();
  assert.equal(await health.status(), "SERVING");
  problem = "read-only";
  // Asking for the status alone finds it too: a probe over gRPC does no more.
  await becomes("NOT_SERVING", async () => undefined);
  problem = "connection refused";
  assert.equal(await health.status(), "NOT_SERVING", "until the check passes");
  problem = undefined;
  await becomes("SERVING", () => health.refresh());
  while (seen.length < 3) await new Promise((resolve) => setTimeout(resolve, 50));
  watching.abort();
  await watched;
  assert.deepEqual(seen, ["SERVING", "NOT_SERVING", "SERVING"]);
});

test("the report says when a dependency that was reached answers no more, and when it does again", async () => {
  let reachableNow = true;
  const failures: string[] = [];
  const health = new Health(
    { database: reachable(() => reachableNow) },
    { onFailure: (check, error) => failures.push(`${check}: ${String(error)}`) },
  );
  health.ready();
  await health.status();
  assert.deepEqual(health.report(), { database: true });
  for (const expected of [false, true, false]) {
    reachableNow = expected;
    while (health.report()["database"] !== expected) {
      await health.refresh();
      assert.equal(await health.status(), "SERVING");
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
  assert.equal(failures.length, 2, "each loss is reported once");
});

test("a report does not wait for a dependency that hangs, and shows it once its check is over", async () => {
  let hangs = false;
  const health = new Health(
    { database: async () => await (hangs ? new Promise(() => {}) : Promise.resolve()) },
    { timeoutMs: 700 },
  );
  health.ready();
  await health.status();
  hangs = true;
  while (health.report()["database"] === true) {
    await health.refresh();
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  assert.equal(await health.status(), "SERVING");
});

test("dependencies are not checked while the service drains, since they are being closed", async (t) => {
  let asked = 0;
  const health = new Health({ database: async () => asked++ });
  health.ready();
  await health.status();
  health.drain();
  const later = performance.now() + 60_000;
  t.mock.method(performance, "now", () => later);
  await health.refresh();
  assert.equal(asked, 1);
});

test("dependencies are not checked before the service is open", async () => {
  let asked = 0;
  const health = new Health({ database: async () => asked++ });
  await health.status();
  assert.equal(asked, 0);
});

test("draining is final", async () => {
  const health = new Health();
  health.ready();
  health.drain();
  assert.equal(await health.status(), "NOT_SERVING");
  health.ready();
  assert.equal(await health.status(), "NOT_SERVING");
});

test("a service that begins to drain during a check is not ready", async () => {
  const answer = Promise.withResolvers<void>();
  const health = new Health({ database: () => answer.promise });
  health.ready();
  const status = health.status();
  health.drain();
  answer.resolve();
  assert.equal(await status, "NOT_SERVING");
});

test("a check that ignores its signal times out and is not called again while it hangs", async () => {
  let calls = 0;
  const health = new Health(
    {
      database: () => {
        calls++;
        return new Promise(() => {});
      },
    },
    { timeoutMs: 20 },
  );
  health.ready();
  assert.deepEqual(await Promise.all([health.status(), health.status()]), ["NOT_SERVING", "NOT_SERVING"]);
  assert.equal(await health.status(), "NOT_SERVING");
  assert.equal(calls, 1);
});

test("the signal of a check aborts at its deadline", async () => {
  const health = new Health(
    {
      database: ({ signal }) =>
        new Promise((_, reject) => signal?.addEventListener("abort", () => reject(signal.reason))),
    },
    { timeoutMs: 20 },
  );
  health.ready();
  assert.equal(await health.status(), "NOT_SERVING");
});

test("a caller that aborts does not disturb other callers of the same check", async () => {
  const answer = Promise.withResolvers<void>();
  const health = new Health({ database: () => answer.promise });
  health.ready();
  const impatient = new AbortController();
  const [early, patient] = [health.status({ signal: impatient.signal }), health.status()];
  impatient.abort();
  assert.equal(await early, "NOT_SERVING");
  answer.resolve();
  assert.equal(await patient, "SERVING");
});

test("onFailure gets the reason when it appears and when it changes, not at each probe", async () => {
  const reported: string[] = [];
  let reason = "refused";
  const health = new Health(
    { database: () => Promise.reject(new Error(reason)) },
    { onFailure: (check, error) => reported.push(`${check}: ${(error as Error).message}`) },
  );
  health.ready();
  await health.status();
  await health.status();
  reason = "wrong password";
  await health.status();
  assert.deepEqual(reported, ["database: refused", "database: wrong password"]);
});

test("liveness depends on neither dependencies nor readiness", () => {
  const health = new Health({ database: () => Promise.reject(new Error("down")) });
  assert.equal(health.liveness(), "SERVING");
  health.drain();
  assert.equal(health.liveness(), "SERVING");
});

test("the process is not alive when an inner part makes no progress or its check throws", () => {
  let turning = true;
  const health = new Health({}, { live: { consumer: () => turning } });
  assert.equal(health.liveness(), "SERVING");
  turning = false;
  assert.equal(health.liveness(), "NOT_SERVING");
  const broken = new Health(
    {},
    {
      live: {
        consumer: () => {
          throw new Error("gone");
        },
      },
    },
  );
  assert.equal(broken.liveness(), "NOT_SERVING");
});

test("watch yields the status and each change of it, and ends with its signal", async () => {
  const stop = new AbortController();
  const health = new Health();
  const seen: Status[] = [];
  for await (const status of health.watch({ signal: stop.signal })) {
    seen.push(status);
    if (seen.length === 1) health.ready();
    if (seen.length === 2) health.drain();
    if (seen.length === 3) stop.abort();
  }
  assert.deepEqual(seen, ["NOT_SERVING", "SERVING", "NOT_SERVING"]);
});

test("watch repeats the checks until every dependency is reached", { timeout: 10_000 }, async () => {
  let up = false;
  const health = new Health({ database: reachable(() => up) });
  health.ready();
  for await (const status of health.watch()) {
    if (status === "SERVING") break;
    up = true;
  }
});

function reachable(isUp: () => boolean): () => Promise<void> {
  return () => (isUp() ? Promise.resolve() : Promise.reject(new Error("unreachable")));
}

test("a part whose work stands still is in the report, and changes neither readiness nor liveness", async () => {
  let moves = true;
  const health = new Health({}, { working: { "broker moves": () => moves } });
  health.ready();
  assert.deepEqual(health.report(), { "broker moves": true });
  moves = false;
  assert.deepEqual(health.report(), { "broker moves": false });
  assert.deepEqual([await health.status(), health.liveness()], ["SERVING", "SERVING"]);
  {
    using _added = health.addWorking("outbox moves", () => false);
    assert.deepEqual(health.report(), { "broker moves": false, "outbox moves": false });
  }
  assert.deepEqual(health.report(), { "broker moves": false });
});
