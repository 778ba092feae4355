import assert from "node:assert/strict";
import test from "node:test";
import { ServiceError } from "@plumbline/errors";
import { noTelemetry } from "@plumbline/telemetry";
import * as fc from "fast-check";
import { Admission } from "./admission.ts";

/** Returns an admission in virtual time, and the counts of shed calls. */
function setUp({ max = 1_000, maxPerShare = Number.POSITIVE_INFINITY, adaptive = true } = {}) {
  const clock = { now: 0 };
  const shed: string[] = [];
  const gauges = new Map<string, () => number | Promise<number>>();
  const { metrics } = noTelemetry;
  const admission = new Admission({
    maxPerShare: () => maxPerShare,
    shareRefusal: (why) => new ServiceError("resource_exhausted", why),
    max: () => max,
    adaptive: () => adaptive,
    refusal: (why) => new ServiceError("unavailable", why, { retryAfterMs: 100 }),
    now: () => clock.now,
    metrics: {
      counter: () => ({
        inc: (labels: Readonly<Record<string, string | number>>) => void shed.push(`${labels["reason"]}`),
      }),
      gauge: (name, help, labels) => ({
        ...metrics.gauge(name, help, labels),
        observe(read) {
          gauges.set(name, read);
          return { [Symbol.dispose]() {} };
        },
      }),
    },
  });

  /** Starts `count` calls at once and ends them after `ms`. Returns the number admitted. */
  async function round(
    method: string,
    count: number,
    ms: number,
    options: { left?: number; error?: Error } = {},
  ): Promise<number> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const before = shed.length;
    const all = Array.from({ length: count }, () => admission.run(method, options.left ?? 5_000, () => promise));
    const settled = Promise.allSettled(all);
    clock.now += ms;
    if (options.error === undefined) resolve();
    else reject(options.error);
    await settled;
    return count - (shed.length - before);
  }
  return { admission, clock, shed, round, gauges };
}

test("two hundred calls at once are admitted, the first time and later", async () => {
  const { round, clock } = setUp();
  for (let n = 0; n < 20; n++) {
    assert.equal(await round("Place", 200, 1_500), 200);
    clock.now += 3_000;
  }
});

test("a hundred calls at once are always admitted while they are quick, despite noise", async () => {
  const { round } = setUp();
  for (let n = 0; n < 400; n++) assert.equal(await round("Get", 100, n < 100 ? 5 : 45), 100);
});

test("calls that have become much slower are shed as unavailable with a retry delay, but never the first twenty", async () => {
  const { admission, round, shed } = setUp();
  for (let n = 0; n < 50; n++) await round("Get", 100, 50);
  for (let n = 0; n < 100; n++) await round("Get", 100, 1_000);
  assert.ok((await round("Get", 100, 1_000)) < 100);
  assert.equal(await round("Get", 20, 1_000), 20);
  assert.ok(shed.every((reason) => reason === "limit"));
  const never = Array.from({ length: 100 }, () => admission.run("Get", 5_000, () => new Promise<void>(() => {})));
  await assert.rejects(Promise.race(never), { code: "unavailable", retryAfterMs: 100 });
});

test("an overload is forgotten after two quiet seconds", async () => {
  const { round, clock } = setUp();
  for (let n = 0; n < 50; n++) await round("Get", 100, 50);
  for (let n = 0; n < 100; n++) await round("Get", 100, 1_000);
  clock.now += 2_001;
  assert.equal(await round("Get", 200, 50), 200);
});

test("slow calls of one method shed none of another", async () => {
  const { round } = setUp();
  for (let n = 0; n < 50; n++) await round("Slow", 100, 50);
  for (let n = 0; n < 100; n++) await round("Slow", 100, 2_000);
  assert.ok((await round("Slow", 100, 2_000)) < 100);
  for (let n = 0; n < 20; n++) assert.equal(await round("Fast", 100, 10, { left: 100 }), 100);
});

test("a call with less time left than the fastest took is shed at once, unless fewer than twenty run", async () => {
  const { admission, round, shed } = setUp();
  for (let n = 0; n < 10; n++) await round("Get", 15, 300);
  assert.equal(await round("Get", 20, 300, { left: 299 }), 20);
  const running = Promise.withResolvers<void>();
  const all = Array.from({ length: 20 }, () => admission.run("Get", 5_000, () => running.promise));
  await assert.rejects(
    admission.run("Get", 299, () => assert.fail("it ran")),
    { code: "unavailable", retryAfterMs: 100 },
  );
  assert.deepEqual(shed, ["deadline"]);
  await admission.run("Get", 300, async () => undefined);
  running.resolve();
  await Promise.all(all);
});

test("when no call has enough time, twenty at once still run, and all are admitted when they are faster", async () => {
  const { round } = setUp();
  const late = new ServiceError("deadline_exceeded", "too late");
  for (let n = 0; n < 10; n++) await round("Get", 100, 300);
  for (let n = 0; n < 10; n++) assert.equal(await round("Get", 100, 200, { left: 200, error: late }), 20);
  await round("Get", 100, 100, { left: 200 });
  assert.equal(await round("Get", 100, 100, { left: 200 }), 100);
});

test("failures do not change the limit, and calls that ran out of time count as slow", async () => {
  const quick = setUp();
  const broken = new ServiceError("internal", "broken");
  for (let n = 0; n < 20; n++) await quick.round("Get", 100, 200);
  for (let n = 0; n < 200; n++) await quick.round("Get", 100, 1, { error: broken });
  for (let n = 0; n < 20; n++) assert.equal(await quick.round("Get", 100, 300), 100, "a quick failure is no baseline");

  const slow = setUp();
  const late = new ServiceError("deadline_exceeded", "too late");
  for (let n = 0; n < 20; n++) await slow.round("Get", 100, 50);
  for (let n = 0; n < 100; n++) await slow.round("Get", 100, 5_000, { error: late });
  assert.ok((await slow.round("Get", 100, 5_000, { error: late })) < 100);
});

test("at most the bound is admitted, adaptive or not, and a place that is left is free", () => {
  for (const adaptive of [true, false]) {
    const { admission, shed } = setUp({ max: 2, adaptive });
    admission.enter("Get", "");
    admission.enter("Put", "");
    assert.throws(() => admission.enter("Get", ""), { code: "unavailable" });
    admission.leave("");
    admission.enter("Get", "");
    assert.throws(() => admission.enter("Get", ""), { code: "unavailable" });
    assert.deepEqual(shed, ["max", "max"]);
  }
});

test("a call is refused exactly if its share or all have no place, in any order of calls", () => {
  const step = fc.record({ share: fc.constantFrom("", "a", "b", "c"), leaves: fc.boolean() });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const { admission } = setUp({ max: 6, maxPerShare: 2 });
      const running: string[] = [];
      for (const { share, leaves } of steps) {
        const at = running.indexOf(share);
        if (leaves) {
          if (at >= 0) admission.leave(...(running.splice(at, 1) as [string]));
          continue;
        }
        const ofShare = running.filter((one) => one === share).length;
        const wanted = share !== "" && ofShare >= 2 ? "resource_exhausted" : running.length >= 6 ? "unavailable" : "";
        let code = "";
        try {
          admission.enter("Get", share);
          running.push(share);
        } catch (error) {
          code = (error as ServiceError).code;
        }
        assert.equal(code, wanted);
      }
    }),
  );
});

test("without the adaptive limit nothing is shed below the bound", async () => {
  const { round } = setUp({ adaptive: false });
  for (let n = 0; n < 50; n++) await round("Get", 100, 50);
  for (let n = 0; n < 100; n++) assert.equal(await round("Get", 100, 5_000, { left: 1 }), 100);
});

test("the metrics report the limit, never above the bound, and the running calls", async () => {
  const { admission, gauges } = setUp({ max: 300 });
  const running = Promise.withResolvers<void>();
  const all = Array.from({ length: 7 }, () => admission.run("Get", 5_000, () => running.promise));
  assert.equal(await gauges.get("admission_limit")?.(), 300);
  assert.equal(await gauges.get("admission_running")?.(), 7);
  running.resolve();
  await Promise.all(all);
  assert.equal(await gauges.get("admission_running")?.(), 0);
});
