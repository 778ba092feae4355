import assert from "node:assert/strict";
import { describe, test } from "node:test";
import * as fc from "fast-check";
import { Gcra } from "./memory-limiter.ts";

/** Makes a limiter with a clock that the test sets. */
function limiter(maxKeys = 100): { at: (ms: number) => void; gcra: Gcra } {
  let now = 0;
  return { at: (ms) => (now = ms), gcra: new Gcra(maxKeys, () => now) };
}

const rate = { perSecond: 10, burst: 3 };

describe("a rate", () => {
  test("allows the burst, then one request per interval, and tells the time until the next one", () => {
    const { at, gcra } = limiter();
    assert.deepEqual(
      [1, 2, 3, 4].map(() => gcra.take("a", rate)),
      [
        { allowed: true, remaining: 2, retryAfterMs: 0, resetMs: 100 },
        { allowed: true, remaining: 1, retryAfterMs: 0, resetMs: 200 },
        { allowed: true, remaining: 0, retryAfterMs: 100, resetMs: 300 },
        { allowed: false, remaining: 0, retryAfterMs: 100, resetMs: 300 },
      ],
    );
    at(99);
    assert.equal(gcra.take("a", rate).allowed, false);
    at(100);
    assert.equal(gcra.take("a", rate).allowed, true);
    assert.equal(gcra.take("a", rate).allowed, false);
  });

  test("gives times without rounding errors, whatever the clock shows", () => {
    const { at, gcra } = limiter();
    for (const now of [0.1, 1381.659645023028, 6275.520787848592, 15940.532725653871]) {
      at(now);
      assert.equal(gcra.take(`key ${now}`, { perSecond: 0.5, burst: 2 }).resetMs, 2_000);
    }
  });

  test("counts each key separately", () => {
    const { gcra } = limiter();
    for (let i = 0; i < 4; i++) gcra.take("a", rate);
    assert.equal(gcra.take("a", rate).allowed, false);
    assert.equal(gcra.take("b", rate).allowed, true);
  });

  test("sets no limit if it is 0", () => {
    const { gcra } = limiter();
    for (let i = 0; i < 1000; i++) assert.equal(gcra.take("a", { perSecond: 0, burst: 1 }).allowed, true);
    assert.equal(gcra.keys, 0);
  });

  test("applies at once when it is raised, also to a client that had used up the old one", () => {
    const { gcra } = limiter();
    const slow = { perSecond: 0.01, burst: 1 };
    gcra.take("a", slow);
    assert.ok(gcra.take("a", slow).retryAfterMs > 90_000);
    const { retryAfterMs } = gcra.take("a", rate);
    assert.ok(retryAfterMs <= 100, `${retryAfterMs}`);
  });

  test("allows exactly the requests that burst and rate permit, at any times", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 400 }), { maxLength: 200 }), (gaps) => {
        const { at, gcra } = limiter();
        let now = 0;
        let allowed = 0;
        let tokens = rate.burst;
        for (const gap of gaps) {
          now += gap;
          at(now);
          tokens = Math.min(rate.burst, tokens + (gap * rate.perSecond) / 1000);
          const expected = tokens >= 1 - 1e-9;
          if (expected) tokens -= 1;
          const decision = gcra.take("a", rate);
          if (decision.allowed) allowed += 1;
          assert.equal(decision.allowed, expected);
        }
        assert.ok(allowed <= rate.burst + (now * rate.perSecond) / 1000 + 1e-9);
      }),
    );
  });
});

describe("the memory of a limiter", () => {
  test("holds no more keys than its bound, and evicts the least recently used one", () => {
    const { gcra } = limiter(3);
    for (const key of ["a", "b", "c"]) for (let i = 0; i < 3; i++) gcra.take(key, rate);
    gcra.take("a", rate);
    gcra.take("d", rate);
    assert.equal(gcra.keys, 3);
    assert.equal(gcra.take("a", rate).allowed, false);
    assert.equal(gcra.take("b", rate).allowed, true);
  });

  test("knows the order of use from half of its bound on", () => {
    const { gcra } = limiter(4);
    for (const key of ["a", "b"]) for (let i = 0; i < 3; i++) gcra.take(key, rate);
    for (const key of ["a", "c", "d", "e"]) gcra.take(key, rate);
    assert.equal(gcra.keys, 4);
    assert.equal(gcra.take("a", rate).allowed, false);
    assert.equal(gcra.take("b", rate).allowed, true);
  });

  test("evicts full buckets first", () => {
    const { at, gcra } = limiter(3);
    for (const key of ["a", "b", "c"]) gcra.take(key, rate);
    at(1000);
    gcra.take("d", rate);
    assert.equal(gcra.keys, 1);
  });
});
