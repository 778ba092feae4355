import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ServiceError } from "@plumbline/errors";
import * as fc from "fast-check";
import { HangUps } from "./hang-ups.ts";

describe("hang-ups", () => {
  const open = (perSecond = 10, burst = 5) => {
    const clock = { now: 0 };
    const hangUps = new HangUps(
      () => ({ perSecond, burst }),
      () => clock.now,
    );
    const times = (client: string, count: number) => {
      for (let i = 0; i < count; i++) hangUps.charge(client);
    };
    return { clock, hangUps, times };
  };

  test("are allowed up to the burst, and again after a time that the refusal names", () => {
    const { clock, hangUps, times } = open();
    times("a", 4);
    hangUps.check("a");
    times("a", 1);
    assert.throws(() => hangUps.check("a"), { code: "resource_exhausted", reason: "OVERLOADED", retryAfterMs: 100 });
    hangUps.check("b");
    clock.now += 100;
    hangUps.check("a");
  });

  test("that come at once are all counted, for a minute at most", () => {
    const { clock, hangUps, times } = open();
    times("a", 100);
    clock.now += 9_500;
    assert.throws(() => hangUps.check("a"), { code: "resource_exhausted" });
    clock.now += 100;
    hangUps.check("a");
    times("a", 1_000_000);
    clock.now += 60_101;
    hangUps.check("a");
  });

  test("are remembered for a bounded number of clients, and not for those whose budget is whole", () => {
    const { clock, hangUps } = open();
    for (let i = 0; i < 20_000; i++) hangUps.charge(`${i}`);
    assert.equal(hangUps.clients, 10_000);
    clock.now += 1_000;
    hangUps.check("19999");
    assert.equal(hangUps.clients, 9_999);
  });

  test("stay within the rate of a client that obeys, and a refusal ends when it says, whatever others do", () => {
    const [perSecond, burst] = [10, 5];
    const step = fc.record({ client: fc.constantFrom("a", "b"), flood: fc.boolean(), waitMs: fc.nat(300) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 150 }), (steps) => {
        const { clock, hangUps, times } = open(perSecond, burst);
        const allowed: Record<string, number[]> = { a: [], b: [] };
        for (const { client, flood, waitMs } of steps) {
          clock.now += waitMs;
          if (flood) times("flood", 50);
          try {
            hangUps.check(client);
            hangUps.charge(client);
            allowed[client]?.push(clock.now);
          } catch (error) {
            assert.ok(error instanceof ServiceError && error.retryAfterMs !== undefined);
            const now = clock.now;
            clock.now = now + error.retryAfterMs - 0.01;
            assert.throws(() => hangUps.check(client), { reason: "OVERLOADED" }, "it ends early");
            clock.now = now + error.retryAfterMs + 0.01;
            hangUps.check(client);
          }
          hangUps.check("quiet");
        }
        for (const times of Object.values(allowed)) {
          for (const [first, from] of times.entries()) {
            for (const [last, to] of times.entries()) {
              const bound = burst + ((to - from) * perSecond) / 1000 + 0.01;
              assert.ok(last < first || last - first + 1 <= bound, `${last - first + 1} in ${to - from} ms`);
            }
          }
        }
      }),
    );
  });
});
