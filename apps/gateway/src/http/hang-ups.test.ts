import assert from "node:assert/strict";
import { describe, test } from "node:test";
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
});
