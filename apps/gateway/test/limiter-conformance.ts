import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { Rate, RateLimiter, Verdict } from "../src/rate-limit/rate-limiter.ts";

const unlimited: Rate = { perSecond: 0, burst: 1 };
/** So slow that no case sees it give anything back. */
const slow = (burst: number): Rate => ({ perSecond: 0.001, burst });

export interface LimiterFeatures {
  /** Whether limiters opened one after the other count together, as gateways do; why not, otherwise. */
  readonly shared: true | { readonly off: string };
}

/** The suite every limiter passes. `open` gives one that has counted nothing yet; `beside` another gateway's of the same count. */
export function limiterConformance(
  name: string,
  features: LimiterFeatures,
  options: { skip: string | false },
  open: () => Promise<{ limiter: RateLimiter; beside: () => Promise<RateLimiter> } & AsyncDisposable>,
): void {
  const allowed = ({ client, global }: Verdict): boolean => client.allowed && global?.allowed !== false;

  void describe(`${name} keeps the promises of the rate limit`, options, () => {
    void test("the burst passes, the next one is refused and told when to come", async () => {
      await using world = await open();
      const limits = { perClient: slow(3), global: unlimited };
      const verdicts: Verdict[] = [];
      for (let i = 0; i < 4; i++) verdicts.push(await world.limiter.take("a", limits));
      assert.deepEqual(verdicts.map(allowed), [true, true, true, false]);
      assert.deepEqual(
        verdicts.map(({ client }) => client.remaining),
        [2, 1, 0, 0],
      );
      const [first, , , refused] = verdicts.map(({ client }) => client);
      assert.ok(first !== undefined && refused !== undefined);
      assert.equal(first.retryAfterMs, 0);
      assert.ok(first.resetMs > 990_000 && first.resetMs <= 1_000_000, `${first.resetMs}`);
      assert.ok(refused.retryAfterMs > 990_000 && refused.retryAfterMs <= 1_000_000, `${refused.retryAfterMs}`);
      assert.ok(refused.resetMs > 2_990_000 && refused.resetMs <= 3_000_000, `${refused.resetMs}`);
    });

    void test("who waits as long as told passes, and a refused request takes nothing", async () => {
      await using world = await open();
      const limits = { perClient: { perSecond: 5, burst: 1 }, global: unlimited };
      assert.ok(allowed(await world.limiter.take("a", limits)));
      const told = (await world.limiter.take("a", limits)).client.retryAfterMs;
      assert.ok(told > 0 && told <= 200, `${told}`);
      for (let i = 0; i < 10; i++) await world.limiter.take("a", limits);
      await sleep(told + 2); // A timer may be early by a part of a millisecond, and there are two clocks.
      assert.ok(allowed(await world.limiter.take("a", limits)));
    });

    void test("each client has its own rate", async () => {
      await using world = await open();
      const limits = { perClient: slow(1), global: unlimited };
      const verdicts = [];
      for (const client of ["a", "a", "b"]) verdicts.push(allowed(await world.limiter.take(client, limits)));
      assert.deepEqual(verdicts, [true, false, true]);
    });

    void test("the rate of all holds for all together, and names itself", async () => {
      await using world = await open();
      const limits = { perClient: slow(10), global: slow(2) };
      await world.limiter.take("a", limits);
      await world.limiter.take("b", limits);
      const verdict = await world.limiter.take("c", limits);
      assert.equal(verdict.client.allowed, true);
      assert.equal(verdict.global?.allowed, false);
      assert.ok(verdict.global.retryAfterMs > 990_000);
    });

    void test("a client that is too fast takes nothing from the others' share", async () => {
      await using world = await open();
      const limits = { perClient: slow(1), global: slow(3) };
      for (let i = 0; i < 10; i++) await world.limiter.take("a", limits);
      assert.ok(allowed(await world.limiter.take("b", limits)));
      assert.ok(allowed(await world.limiter.take("c", limits)));
      assert.ok(!allowed(await world.limiter.take("d", limits)));
    });

    void test("a rate of 0 is no limit", async () => {
      await using world = await open();
      for (let i = 0; i < 50; i++) {
        assert.ok(allowed(await world.limiter.take("a", { perClient: unlimited, global: unlimited })));
      }
    });

    void test("a rate that is raised holds at once, also for who had used up the old one", async () => {
      await using world = await open();
      await world.limiter.take("a", { perClient: slow(1), global: unlimited });
      const { client } = await world.limiter.take("a", { perClient: { perSecond: 10, burst: 3 }, global: unlimited });
      assert.ok(client.retryAfterMs <= 100, `${client.retryAfterMs}`);
    });

    void test("of many requests at once exactly the burst passes", async () => {
      await using world = await open();
      const limits = { perClient: slow(20), global: unlimited };
      const verdicts = await Promise.all(
        Array.from({ length: 200 }, async () => await world.limiter.take("a", limits)),
      );
      assert.equal(verdicts.filter(allowed).length, 20);
    });

    const skip = features.shared === true ? false : features.shared.off;
    void test("gateways count together: of requests spread over three exactly the burst passes", { skip }, async () => {
      await using world = await open();
      const gateways = [world.limiter, await world.beside(), await world.beside()];
      const take = async (i: number): Promise<Verdict | undefined> => gateways[i % 3]?.take(`client ${i % 2}`, limits);
      const limits = { perClient: slow(30), global: slow(20) };
      const requests = Array.from({ length: 300 }, (_, i) => take(i));
      const verdicts = (await Promise.all(requests)).filter((verdict) => verdict !== undefined);
      assert.equal(verdicts.length, 300);
      assert.equal(verdicts.filter(allowed).length, 20);
    });
  });
}
