import assert from "node:assert/strict";
import test from "node:test";
import { array, boolean, assert as check, integer, nat, property, record } from "fast-check";
import { AdaptiveLimit, type Permit } from "./adaptive-limit.ts";

const workers = 4;
const serviceMs = 10;
/** The calls per second that the simulated server can answer. */
const capacity = (workers * 1000) / serviceMs;

/**
 * Simulates a server of some workers behind a queue, in virtual time. Calls arrive at a fixed rate,
 * whether or not earlier ones were answered. Returns the calls answered per second and the 99th
 * percentile of their latency.
 */
function serve(limit: AdaptiveLimit, clock: { now: number }, rate: number, ms: number) {
  const free = Array.from({ length: workers }, () => clock.now);
  const running: { readonly end: number; readonly permit: Permit }[] = [];
  const latencies: number[] = [];
  const from = clock.now;
  const end = from + ms;
  const finishUntil = (time: number): void => {
    for (let next = running[0]; next !== undefined && next.end <= time; next = running[0]) {
      running.shift();
      clock.now = next.end;
      next.permit[Symbol.dispose]();
    }
  };
  let seed = 1;
  const random = (): number => (seed = (seed * 16_807) % 2_147_483_647) / 2_147_483_647;
  for (let at = from; at < end; at += (1000 / rate) * 2 * random()) {
    finishUntil(at);
    clock.now = at;
    const permit = limit.tryAcquire();
    if (permit === undefined) continue;
    const worker = free.indexOf(Math.min(...free));
    const done = Math.max(free[worker] ?? at, at) + serviceMs;
    free[worker] = done;
    running.push({ end: done, permit });
    // In the first half the limit adapts.
    if (at > from + ms / 2) latencies.push(done - at);
  }
  finishUntil(Number.POSITIVE_INFINITY);
  const sorted = latencies.toSorted((a, b) => a - b);
  return { perSecond: latencies.length / (ms / 2000), p99: sorted[Math.floor(sorted.length * 0.99)] ?? Number.NaN };
}

test("at twice its capacity a server still answers nearly all it can, and admitted calls stay nearly as fast as at its peak", () => {
  const clock = { now: 0 };
  const limit = new AdaptiveLimit({ max: 1_000, min: 4, now: () => clock.now });
  const peak = serve(limit, clock, capacity * 0.9, 20_000);
  const overloaded = serve(limit, clock, capacity * 2, 120_000);
  assert.ok(overloaded.perSecond >= 0.9 * capacity, `${overloaded.perSecond} of ${capacity} a second`);
  assert.ok(overloaded.p99 <= 2 * peak.p99, `${overloaded.p99} ms, at the peak ${peak.p99} ms`);
});

test("without overload no call is refused", () => {
  const clock = { now: 0 };
  const limit = new AdaptiveLimit({ max: 1_000, now: () => clock.now });
  const { perSecond } = serve(limit, clock, capacity * 0.5, 20_000);
  assert.ok(Math.abs(perSecond - capacity * 0.5) < capacity * 0.05, `${perSecond} a second`);
  assert.equal(limit.limit, 1_000);
});

test("after an overload the limit grows back until calls are no longer refused", () => {
  const clock = { now: 0 };
  const limit = new AdaptiveLimit({ max: 100, min: 4, now: () => clock.now });
  serve(limit, clock, capacity * 0.5, 5_000);
  serve(limit, clock, capacity * 3, 30_000);
  const low = limit.limit;
  const { perSecond } = serve(limit, clock, capacity * 0.7, 20_000);
  assert.ok(low < 50, `${low} under overload`);
  assert.ok(Math.abs(perSecond - capacity * 0.7) < capacity * 0.05, `${perSecond} a second`);
});

test("the limit stays between its bounds and the calls in flight below it, whatever they take and however they end", () => {
  const step = record({ start: nat(40), end: nat(40), wait: nat(500), discard: boolean() });
  check(
    property(integer({ min: 1, max: 50 }), nat(50), array(step, { maxLength: 200 }), (min, more, steps) => {
      let now = 0;
      const max = min + more;
      const limit = new AdaptiveLimit({ min, max, now: () => now });
      const permits: Permit[] = [];
      for (const { start, end, wait, discard } of steps) {
        for (let n = 0; n < start; n++) {
          const before = limit.inFlight;
          const permit = limit.tryAcquire();
          assert.equal(permit === undefined, before >= limit.limit);
          if (permit !== undefined) permits.push(permit);
        }
        now += wait;
        for (const permit of permits.splice(0, end)) {
          if (discard) permit.discard();
          permit[Symbol.dispose](); // Twice gives back once.
        }
        assert.ok(Number.isInteger(limit.limit) && limit.limit >= min && limit.limit <= max);
        assert.equal(limit.inFlight, permits.length);
      }
    }),
  );
});

test("a discarded permit is no sample", () => {
  let now = 0;
  const limit = new AdaptiveLimit({ max: 10, now: () => now });
  for (let n = 0; n < 100; n++) {
    const permit = limit.tryAcquire();
    now += 50;
    permit?.discard();
  }
  assert.equal(limit.latencyMs, undefined);
});

test("the latency is the mean of the last window", () => {
  let now = 0;
  const limit = new AdaptiveLimit({ max: 10, now: () => now });
  for (let n = 0; n < 10; n++) {
    const permit = limit.tryAcquire();
    now += n % 2 === 0 ? 10 : 30;
    permit?.[Symbol.dispose]();
  }
  assert.equal(limit.latencyMs, 20);
});

test("a service that has become slower has calls refused for a while only", () => {
  let now = 0;
  const limit = new AdaptiveLimit({ max: 40, min: 4, now: () => now });
  /**
   * Makes twenty concurrent calls of equal latency, so that none queues. Returns the number
   * admitted.
   */
  const round = (ms: number): number => {
    const permits = Array.from({ length: 20 }, () => limit.tryAcquire()).filter((permit) => permit !== undefined);
    now += ms;
    for (const permit of permits) permit[Symbol.dispose]();
    return permits.length;
  };
  for (let n = 0; n < 100; n++) round(100);
  for (let n = 0; n < 100; n++) round(1_000);
  assert.ok(round(1_000) < 20);
  for (let n = 0; n < 3_000; n++) round(1_000);
  assert.equal(round(1_000), 20);
});

test("a pause of half a second refuses no call, and lasting slowness does", () => {
  let now = 0;
  const limit = new AdaptiveLimit({ max: 100, min: 4, now: () => now });
  const round = (ms: number): number => {
    const permits = Array.from({ length: 60 }, () => limit.tryAcquire()).filter((permit) => permit !== undefined);
    now += ms;
    for (const permit of permits) permit[Symbol.dispose]();
    return permits.length;
  };
  for (let n = 0; n < 20; n++) round(100);
  for (let n = 0; n < 5; n++) round(1_000);
  assert.equal(limit.limit, 100);
  for (let n = 0; n < 20; n++) round(1_000);
  assert.ok(round(1_000) < 60);
});

for (const options of [{ max: 0 }, { max: 1.5 }, { max: 5, min: 6 }, { max: 5, min: 0 }]) {
  test(`${JSON.stringify(options)} are refused as bounds`, () =>
    assert.throws(() => new AdaptiveLimit(options), RangeError));
}
