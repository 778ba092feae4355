import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { Secret } from "@plumbline/config";
import { noTelemetry, type Telemetry } from "@plumbline/telemetry";
import { proxyTo, type TestRedis, testRedis, whyNoRedis } from "@plumbline/tools-engines";
import { createClient } from "@redis/client";
import * as fc from "fast-check";
import { decide, Gcra, MemoryLimiter } from "../src/rate-limit/memory-limiter.ts";
import { openLimiter } from "../src/rate-limit/open-limiter.ts";
import type { RateLimiter, RateLimits } from "../src/rate-limit/rate-limiter.ts";
import { gcraScript, openRedisLimiter } from "../src/rate-limit/redis-limiter.ts";
import { limiterConformance } from "./limiter-conformance.ts";
import { openGateway } from "./support/gateway.ts";
import { MemoryUpstream } from "./support/memory-upstream.ts";
import { plumbline } from "./support/orders.ts";

const skip = whyNoRedis() ?? false;
let redis: TestRedis;
before(async () => {
  if (skip === false) redis = await testRedis();
});
after(async () => await redis?.[Symbol.asyncDispose]());

/** Makes telemetry that records the log lines and fallbacks of a limiter. */
function recording(): { telemetry: Pick<Telemetry, "logger" | "metrics">; lines: string[]; fallbacks: () => number } {
  const lines: string[] = [];
  let fallbacks = 0;
  const say = (message: string): void => void lines.push(message);
  return {
    telemetry: {
      logger: { ...noTelemetry.logger, info: say, warn: say },
      metrics: { ...noTelemetry.metrics, counter: () => ({ inc: () => void fallbacks++ }) },
    },
    lines,
    fallbacks: () => fallbacks,
  };
}

async function until(condition: () => boolean): Promise<void> {
  const end = performance.now() + 20_000;
  while (!condition()) {
    assert.ok(performance.now() < end, "waited 20 s");
    await new Promise(setImmediate);
  }
}

limiterConformance(
  "memory",
  { shared: { off: "each gateway counts on its own; the redis limiter is for counting together" } },
  { skip: false },
  async () => {
    const limiter = new MemoryLimiter();
    return { limiter, beside: async () => limiter, [Symbol.asyncDispose]: async () => {} };
  },
);

limiterConformance("redis", { shared: true }, { skip }, async () => {
  await using opening = new AsyncDisposableStack();
  const prefix = `test:${randomUUID()}:`;
  // A busy test machine may exceed the usual deadline; the fallback would then decide.
  const { telemetry, fallbacks } = recording();
  const open = async () => opened.use(await openRedisLimiter({ url: redis.url, prefix, commandMs: 10_000 }, telemetry));
  const opened = opening.move();
  opened.defer(() => assert.equal(fallbacks(), 0, "Redis did not decide every request"));
  return { limiter: await open(), beside: open, [Symbol.asyncDispose]: () => opened.disposeAsync() };
});

describe("the script", { skip }, () => {
  test("decides like the limiter in memory, at any times and rates", async () => {
    const client = createClient({ url: redis.url });
    await client.connect();
    const rates = fc.record({
      perSecond: fc.constantFrom(0, 0.3, 1, 7, 10, 333, 5_000),
      burst: fc.integer({ min: 1, max: 5 }),
    });
    const schedule = fc.array(fc.record({ gapMs: fc.integer({ min: 0, max: 2_000 }), rate: rates }), { maxLength: 30 });
    try {
      await fc.assert(
        fc.asyncProperty(schedule, async (steps) => {
          const keys = [`test:${randomUUID()}`, `test:${randomUUID()}`];
          let now = 30_000_000_000; // Milliseconds since 2025, a moment of 2025.
          const gcra = new Gcra(10, () => now);
          for (const { gapMs, rate } of steps) {
            now += gapMs;
            const args = [rate.perSecond, rate.burst, 0, 1].map(String);
            // In one transaction: a key expires by Redis's own clock, which is ahead of the
            // script's here.
            const [reply] = await client
              .multi()
              .eval(gcraScript(`local now = ${now}`), { keys, arguments: args })
              .persist(keys[0] ?? "")
              .exec();
            const [allowed, fullInMs] = reply as unknown as [number, string];
            const decided = decide(allowed === 1, Number(fullInMs), rate);
            const expected = gcra.take("a", rate);
            assert.equal(decided.allowed, expected.allowed);
            assert.equal(decided.remaining, expected.remaining);
            assert.ok(Math.abs(decided.resetMs - expected.resetMs) < 0.01, `${decided.resetMs} ${expected.resetMs}`);
          }
          await client.del(keys);
        }),
        { numRuns: 200 },
      );
    } finally {
      client.destroy();
    }
  });

  test("leaves no key behind: each one expires when its bucket is full", async () => {
    const client = createClient({ url: redis.url });
    await client.connect();
    try {
      const prefix = `test:${randomUUID()}:`;
      await using limiter = await openRedisLimiter({ url: redis.url, prefix, commandMs: 10_000 }, noTelemetry);
      await limiter.take("a", { perClient: { perSecond: 1, burst: 60 }, global: { perSecond: 0, burst: 1 } });
      const expiresInMs = await client.pTTL(`${prefix}client:a`);
      assert.ok(expiresInMs > 0 && expiresInMs <= 1_000, `${expiresInMs} ms`);
      assert.equal(await client.exists(`${prefix}global`), 0);
    } finally {
      client.destroy();
    }
  });
});

describe("while Redis is unreachable", { skip, timeout: 60_000 }, () => {
  const limits: RateLimits = { perClient: { perSecond: 0.001, burst: 3 }, global: { perSecond: 0, burst: 1 } };

  /** Opens the limiters of two gateways behind a network that can fail. */
  async function open(commandMs = 50) {
    await using opening = new AsyncDisposableStack();
    const proxy = opening.use(await proxyTo(redis.url));
    const prefix = `test:${randomUUID()}:`;
    const gateways = [recording(), recording()];
    const limiters: RateLimiter[] = [];
    for (const { telemetry } of gateways) {
      limiters.push(opening.use(await openRedisLimiter({ url: proxy.url, prefix, commandMs }, telemetry)));
    }
    const [a, b] = limiters;
    assert.ok(a !== undefined && b !== undefined);
    const opened = opening.move();
    const linesOf = (gateway: 0 | 1) => gateways[gateway]?.lines;
    const fallbacks = (): number => gateways.reduce((sum, { fallbacks }) => sum + fallbacks(), 0);
    return { proxy, a, b, linesOf, fallbacks, [Symbol.asyncDispose]: () => opened.disposeAsync() };
  }

  const spend = async (limiter: RateLimiter, requests: number): Promise<boolean[]> => {
    const answers = [];
    for (let i = 0; i < requests; i++) answers.push((await limiter.take("a", limits)).client.allowed);
    return answers;
  };

  test("each gateway counts on its own, from the requests it has seen, and logs that once", async () => {
    await using context = await open(10_000);
    assert.deepEqual(await spend(context.a, 2), [true, true]);
    context.proxy.cut();
    await until(() => context.linesOf(0)?.length === 1 && context.linesOf(1)?.length === 1);
    assert.deepEqual(await spend(context.a, 3), [true, false, false]);
    assert.deepEqual(await spend(context.b, 4), [true, true, true, false]);
    assert.deepEqual(context.linesOf(0), ["Redis is unreachable; this gateway limits rates on its own"]);
    assert.equal(context.fallbacks(), 7);
  });

  test("the gateways count together again once Redis is reachable", async () => {
    await using context = await open(10_000);
    context.proxy.cut();
    await until(() => context.linesOf(0)?.length === 1 && context.linesOf(1)?.length === 1);
    context.proxy.restore();
    await until(() => context.linesOf(0)?.length === 2 && context.linesOf(1)?.length === 2);
    assert.deepEqual(context.linesOf(0), [
      "Redis is unreachable; this gateway limits rates on its own",
      "Redis is reachable again; gateways share their rate limits",
    ]);
    assert.deepEqual(await spend(context.a, 2), [true, true]);
    assert.deepEqual(await spend(context.b, 2), [true, false]);
    assert.equal(context.fallbacks(), 0);
  });

  test("a Redis that stops replying delays requests once, up to their deadline, and later ones not at all", async () => {
    await using context = await open(200);
    await spend(context.a, 1);
    context.proxy.freeze();
    const began = performance.now();
    const first = await Promise.all(Array.from({ length: 20 }, async () => await context.a.take("b", limits)));
    const heldMs = performance.now() - began;
    assert.ok(heldMs >= 195 && heldMs < 2_000, `${heldMs} ms`);
    assert.equal(first.filter(({ client }) => client.allowed).length, 3);
    assert.deepEqual(context.linesOf(0), ["Redis is unreachable; this gateway limits rates on its own"]);
    const again = performance.now();
    for (let i = 0; i < 100; i++) await context.a.take("c", limits);
    assert.ok(performance.now() - again < 200, "requests still wait for a Redis that is known to be unreachable");
    context.proxy.restore();
    await until(() => context.linesOf(0)?.length === 2);
  });

  test("a Redis that accepts connections but refuses commands is tried less and less often", async (t) => {
    t.mock.method(Math, "random", () => 1);
    const user = `refused-${randomUUID()}`;
    const admin = createClient({ url: redis.url });
    await admin.connect();
    try {
      await admin.sendCommand(["ACL", "SETUSER", user, "on", "nopass", "~*", "+@connection"]);
      const url = Object.assign(new URL(redis.url), { username: user, password: "any" }).href;
      const { telemetry, lines } = recording();
      await using limiter = await openRedisLimiter({ url, commandMs: 10_000 }, telemetry);
      const began = performance.now();
      // Found and lost four times, at the longest after 100, 200, 400 and 800 ms.
      while (lines.length < 9) {
        await limiter.take("a", limits);
        await new Promise(setImmediate);
      }
      assert.ok(performance.now() - began >= 1_490, `${performance.now() - began} ms`);
    } finally {
      await admin.sendCommand(["ACL", "DELUSER", user]).catch(() => {});
      admin.destroy();
    }
  });

  test("a gateway starts, becomes ready and limits rates on its own", async () => {
    await using proxy = await proxyTo(redis.url);
    proxy.cut();
    const { telemetry, lines } = recording();
    await using limiter = await openRedisLimiter({ url: proxy.url }, telemetry);
    const upstream = new MemoryUpstream(plumbline, { SayHello: () => ({ message: "Hello" }) });
    await using gateway = await openGateway(plumbline, { upstream, limiter, settings: { rateLimit: limits } });
    assert.equal((await gateway.fetch("/readyz")).status, 200);
    const statuses = [];
    for (let i = 0; i < 4; i++) statuses.push((await gateway.fetch("/v1/greetings/a")).status);
    assert.deepEqual(statuses, [200, 200, 200, 429]);
    assert.equal(lines.length, 1);
  });
});

const generous: RateLimits = { perClient: { perSecond: 1_000, burst: 1_000 }, global: { perSecond: 0, burst: 1 } };

test("two users in turns, rotated five times under load: every request is counted by Redis", {
  skip,
  timeout: 60_000,
}, async () => {
  const admin = createClient({ url: redis.url });
  await admin.connect();
  const users = [`a-${randomUUID()}`, `b-${randomUUID()}`] as const;
  const connections = async (user: string): Promise<number> => {
    const list = String(await admin.sendCommand(["CLIENT", "LIST"]));
    return list.split("\n").filter((line) => line.includes(` user=${user} `)).length;
  };
  const login = async (user: string): Promise<string> => {
    const password = randomUUID();
    await admin.sendCommand(["ACL", "SETUSER", user, "reset", "on", `>${password}`, "~*", "+@all"]);
    return Object.assign(new URL(redis.url), { username: user, password }).href;
  };
  try {
    let url = await login(users[0]);
    const { telemetry, lines, fallbacks } = recording();
    const prefix = `test:${randomUUID()}:`;
    await using limiter = await openRedisLimiter({ url: () => url, prefix, commandMs: 10_000 }, telemetry);
    const over = new AbortController();
    using _end = { [Symbol.dispose]: () => over.abort() };
    const load = (async () => {
      while (!over.signal.aborted) await limiter.take("a", generous);
    })();
    for (let round = 1; round <= 5; round++) {
      const [old, next] = round % 2 === 1 ? users : [users[1], users[0]];
      const began = performance.now();
      url = await login(next);
      while ((await connections(old)) > 0) {
        assert.ok(performance.now() - began < 10_000, "the old user is still connected");
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      assert.equal(await connections(next), 1);
      await admin.sendCommand(["ACL", "DELUSER", old]);
    }
    over.abort();
    await load;
    assert.equal(fallbacks(), 0);
    assert.deepEqual(
      lines,
      Array.from({ length: 5 }, () => "Redis credentials changed"),
    );
  } finally {
    for (const user of users) await admin.sendCommand(["ACL", "DELUSER", user]).catch(() => {});
    admin.destroy();
  }
});

test("a changed password in a setting of its own is followed", { skip, timeout: 60_000 }, async () => {
  const admin = createClient({ url: redis.url });
  await admin.connect();
  const user = `apart-${randomUUID()}`;
  const letIn = (password: string) => admin.sendCommand(["ACL", "SETUSER", user, "on", `>${password}`, "~*", "+@all"]);
  try {
    await letIn("first %41");
    const { host } = new URL(redis.url);
    const settings = {
      store: "redis",
      redisUrl: new Secret(`redis://${user}@${host}`),
      redisPassword: new Secret("first %41"),
    } as const;
    let current = settings;
    const { telemetry, lines } = recording();
    await using _limiter = await openLimiter(settings, { ...noTelemetry, ...telemetry }, () => current);
    assert.deepEqual(lines, []);
    await letIn("second");
    current = { ...settings, redisPassword: new Secret("second") };
    await until(() => lines.length > 0);
    assert.deepEqual(lines, ["Redis credentials changed"]);
  } finally {
    await admin.sendCommand(["ACL", "DELUSER", user]).catch(() => {});
    admin.destroy();
  }
});

test("changed credentials that Redis refuses keep the connection, are logged once, and are tried again", {
  skip,
  timeout: 60_000,
}, async () => {
  const admin = createClient({ url: redis.url });
  await admin.connect();
  const user = `late-${randomUUID()}`;
  try {
    let url = redis.url;
    const { telemetry, lines, fallbacks } = recording();
    await using limiter = await openRedisLimiter({ url: () => url, commandMs: 10_000 }, telemetry);
    url = Object.assign(new URL(redis.url), { username: user, password: "hunter2" }).href;
    await until(() => lines.length === 1);
    await limiter.take("a", generous);
    await new Promise((resolve) => setTimeout(resolve, 3_500)); // Two more attempts.
    assert.deepEqual(lines, ["Redis refuses the changed credentials; keeping the connection"]);
    await admin.sendCommand(["ACL", "SETUSER", user, "on", ">hunter2", "~*", "+@all"]);
    await until(() => lines.length === 2);
    assert.equal(lines[1], "Redis credentials changed");
    await limiter.take("a", generous);
    assert.equal(fallbacks(), 0);
  } finally {
    await admin.sendCommand(["ACL", "DELUSER", user]).catch(() => {});
    admin.destroy();
  }
});

test("two gateways share the limit of a client: 429 with Retry-After and RateLimit headers", { skip }, async () => {
  const upstream = new MemoryUpstream(plumbline, { SayHello: () => ({ message: "Hello" }) });
  const options = { url: redis.url, prefix: `test:${randomUUID()}:`, commandMs: 10_000 };
  const settings = { rateLimit: { perClient: { perSecond: 0.5, burst: 2 }, global: { perSecond: 0, burst: 1 } } };
  await using one = await openRedisLimiter(options, noTelemetry);
  await using two = await openRedisLimiter(options, noTelemetry);
  await using first = await openGateway(plumbline, { upstream, settings, limiter: one });
  await using second = await openGateway(plumbline, { upstream, settings, limiter: two });
  assert.equal((await first.fetch("/v1/greetings/a")).headers.get("ratelimit"), '"client";r=1;t=2');
  assert.equal((await second.fetch("/v1/greetings/a")).headers.get("ratelimit"), '"client";r=0;t=4');
  const refused = await first.fetch("/v1/greetings/a");
  assert.equal(refused.status, 429);
  assert.equal(refused.headers.get("retry-after"), "2");
  assert.equal(refused.headers.get("ratelimit-policy"), '"client";q=2;w=4');
});
