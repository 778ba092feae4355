import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { Rate, RateLimiter, Verdict } from "../src/rate-limit/rate-limiter.ts";

const unlimited: Rate = { perSecond: 0, burst: 1 };
/** Returns a rate so slow that no test sees a token come back. */
const slow = (burst: number): Rate => ({ perSecond: 0.001, burst });

export interface LimiterFeatures {
  /** True if several limiters count together, as several gateways do; otherwise the reason. */
  readonly shared: true | { readonly off: string };
}

/**
 * Defines the suite that every limiter passes. `open` makes a limiter that has counted nothing yet.
 * `beside` opens another gateway's limiter of the same count.
 */
export function limiterConformance(
  name: string,
  features: LimiterFeatures,
  options: { skip: string | false },
  open: () => Promise<{ limiter: RateLimiter; beside: () => Promise<RateLimiter> } & AsyncDisposable>,
): void {
  const allowed = ({ client, global }: Verdict): boolean => client.allowed && global?.allowed !== false;

  void describe(`the ${name} limiter keeps the promises of the port`, options, () => {
    void test("the burst is allowed; the next request is refused, with the time to retry", async () => {
      await using context = await open();
      const limits = { perClient: slow(3), global: unlimited };
      const verdicts: Verdict[] = [];
      for (let i = 0; i < 4; i++) verdicts.push(await context.limiter.take("a", limits));
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

    void test("a request after the time to retry is allowed, and refused requests use up nothing", async () => {
      await using context = await open();
      const limits = { perClient: { perSecond: 5, burst: 1 }, global: unlimited };
      assert.ok(allowed(await context.limiter.take("a", limits)));
      const retryAfterMs = (await context.limiter.take("a", limits)).client.retryAfterMs;
      assert.ok(retryAfterMs > 0 && retryAfterMs <= 200, `${retryAfterMs}`);
      for (let i = 0; i < 10; i++) await context.limiter.take("a", limits);
      await sleep(retryAfterMs + 2); // A timer may be early by a part of a millisecond, and there are two clocks.
      assert.ok(allowed(await context.limiter.take("a", limits)));
    });

    void test("each client has its own rate", async () => {
      await using context = await open();
      const limits = { perClient: slow(1), global: unlimited };
      const verdicts = [];
      for (const client of ["a", "a", "b"]) verdicts.push(allowed(await context.limiter.take(client, limits)));
      assert.deepEqual(verdicts, [true, false, true]);
    });

    void test("the global rate limits all clients together, and the verdict names it", async () => {
      await using context = await open();
      const limits = { perClient: slow(10), global: slow(2) };
      await context.limiter.take("a", limits);
      await context.limiter.take("b", limits);
      const verdict = await context.limiter.take("c", limits);
      assert.equal(verdict.client.allowed, true);
      assert.equal(verdict.global?.allowed, false);
      assert.ok(verdict.global.retryAfterMs > 990_000);
    });

    void test("a client that is refused uses up nothing of the global rate", async () => {
      await using context = await open();
      const limits = { perClient: slow(1), global: slow(3) };
      for (let i = 0; i < 10; i++) await context.limiter.take("a", limits);
      assert.ok(allowed(await context.limiter.take("b", limits)));
      assert.ok(allowed(await context.limiter.take("c", limits)));
      assert.ok(!allowed(await context.limiter.take("d", limits)));
    });

    void test("a rate of 0 sets no limit", async () => {
      await using context = await open();
      for (let i = 0; i < 50; i++) {
        assert.ok(allowed(await context.limiter.take("a", { perClient: unlimited, global: unlimited })));
      }
    });

    void test("a raised rate applies at once, also to a client that had used up the old one", async () => {
      await using context = await open();
      await context.limiter.take("a", { perClient: slow(1), global: unlimited });
      const { client } = await context.limiter.take("a", { perClient: { perSecond: 10, burst: 3 }, global: unlimited });
      assert.ok(client.retryAfterMs <= 100, `${client.retryAfterMs}`);
    });

    void test("exactly the burst is allowed out of many concurrent requests", async () => {
      await using context = await open();
      const limits = { perClient: slow(20), global: unlimited };
      const verdicts = await Promise.all(
        Array.from({ length: 200 }, async () => await context.limiter.take("a", limits)),
      );
      assert.equal(verdicts.filter(allowed).length, 20);
    });

    const skip = features.shared === true ? false : features.shared.off;
    void test("gateways count together: exactly the burst is allowed out of requests spread over three", {
      skip,
    }, async () => {
      await using context = await open();
      const gateways = [context.limiter, await context.beside(), await context.beside()];
      const take = async (i: number): Promise<Verdict | undefined> => gateways[i % 3]?.take(`client ${i % 2}`, limits);
      const limits = { perClient: slow(30), global: slow(20) };
      const requests = Array.from({ length: 300 }, (_, i) => take(i));
      const verdicts = (await Promise.all(requests)).filter((verdict) => verdict !== undefined);
      assert.equal(verdicts.length, 300);
      assert.equal(verdicts.filter(allowed).length, 20);
    });
  });
}
