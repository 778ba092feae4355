import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { aborted } from "@plumbline/concurrency";
import { startTelemetry } from "@plumbline/telemetry";
import { defaults, openGateway } from "./support/gateway.ts";
import { MemoryUpstream } from "./support/memory-upstream.ts";
import { plumbline } from "./support/orders.ts";
import { answerIn, type RawConnection, rawConnection } from "./support/raw.ts";

const limits = defaults.limits;
const post = (length: number): string =>
  `POST /v1/orders HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${length}\r\n\r\n`;
const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`;

/** Opens connections of one client, disposed together. */
async function connections(stack: DisposableStack, port: number, count: number, from: string) {
  const opened: RawConnection[] = [];
  for (let i = 0; i < count; i++) opened.push(stack.use(await rawConnection(port, from)));
  return opened;
}

async function until(done: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const end = performance.now() + 15_000;
  while (!(await done())) {
    assert.ok(performance.now() < end, what);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

describe("a client whose bodies never come", () => {
  const upstream = new MemoryUpstream(plumbline, {
    SayHello: () => ({ message: "Hello" }),
    PlaceOrder: () => ({ id: "7" }),
  });

  test("takes no place of other clients, and no more than its own share", async () => {
    await using gateway = await openGateway(plumbline, {
      upstream,
      settings: { limits: { ...limits, concurrent: 10, bodiesPerClient: 30 } },
    });
    using stack = new DisposableStack();
    const attackers = await connections(stack, gateway.port, 40, "127.0.0.66");
    for (const { write } of attackers) write(`${post(100)}{`);
    const refused = await Promise.all(attackers.slice(30).map(({ received }) => received(/\}$/)));
    for (const text of refused) {
      const { status, problem } = answerIn(text);
      assert.deepEqual([status, problem["reason"]], [429, "OVERLOADED"]);
    }
    for (let i = 0; i < 20; i++) assert.equal((await gateway.fetch("/v1/greetings/a")).status, 200);
    using other = await rawConnection(gateway.port, "127.0.0.67");
    other.write(`${post(2)}{}`);
    assert.equal(answerIn(await other.received(/"id"/)).status, 200);
    // A place is free again when a body is complete, and when its connection is closed.
    attackers[0]?.write(`${" ".repeat(98)}}`);
    assert.equal(answerIn((await attackers[0]?.received(/"id"/)) ?? "").status, 200);
    attackers[1]?.socket.destroy();
    for (const text of ["{", "{"]) {
      await until(async () => {
        const next = stack.use(await rawConnection(gateway.port, "127.0.0.66"));
        next.write(`${post(100)}${text}`);
        const { promise, resolve } = Promise.withResolvers<boolean>();
        setTimeout(() => resolve(true), 200);
        return await Promise.race([
          promise,
          next.received(/OVERLOADED/).then(
            () => false,
            () => true,
          ),
        ]);
      }, "no place is free");
    }
  });

  test("is refused by the bytes that it holds, not by those that others hold", async () => {
    const held = Promise.withResolvers<void>();
    const slow = new MemoryUpstream(plumbline, {
      PlaceOrder: async () => {
        await held.promise;
        return { id: "7" };
      },
    });
    await using gateway = await openGateway(plumbline, {
      upstream: slow,
      settings: { limits: { ...limits, bodyBytesPerClient: 250_000, bodyBytesInAll: 600_000 } },
    });
    using stack = new DisposableStack();
    const padded = `${post(100_000)}{${" ".repeat(99_998)}}`;
    const statuses = async (from: string, count: number) => {
      const opened = await connections(stack, gateway.port, count, from);
      for (const { write } of opened) write(padded);
      const answers = opened.map(async ({ received }) => answerIn(await received(/\}$/)).status);
      return { answers };
    };
    const own = await statuses("127.0.0.66", 4);
    assert.deepEqual(
      await Promise.race([Promise.all(own.answers.slice(3)), Promise.all(own.answers.slice(2, 3))]),
      [429],
    );
    const others = await statuses("127.0.0.67", 2);
    held.resolve();
    const all = await Promise.all([...own.answers, ...others.answers]);
    assert.deepEqual(all.toSorted(), [200, 200, 200, 200, 429, 429]);
    assert.deepEqual(await Promise.all(others.answers), [200, 200]);
  });

  test("is disconnected if they come too slowly", { timeout: 30_000 }, async () => {
    await using gateway = await openGateway(plumbline, { upstream });
    using connection = await rawConnection(gateway.port);
    const startedAt = performance.now();
    connection.write(`${post(1000)}{`);
    const { status, problem } = answerIn(await connection.closed());
    assert.deepEqual([status, problem["reason"]], [408, "BODY_TOO_SLOW"]);
    assert.ok(performance.now() - startedAt > 4_900);
  });

  test("is refused a body that is longer than its message can be", async () => {
    await using gateway = await openGateway(plumbline, { upstream });
    const body = JSON.stringify({ customerId: " ".repeat(500_000) });
    const init = { method: "POST", headers: { "content-type": "application/json" }, body };
    const response = await gateway.fetch("/v1/orders", init);
    assert.equal(response.status, 413);
    assert.ok(500_000 < limits.bodyBytes);
  });
});

test("a body that is refused while it arrives holds no bytes, also if its rest arrives later", async () => {
  const upstream = new MemoryUpstream(plumbline, { PlaceOrder: () => ({ id: "7" }) });
  const settings = { limits: { ...limits, bodyBytesPerClient: 64 * 1024 } };
  await using gateway = await openGateway(plumbline, { upstream, settings });
  const head = "POST /v1/orders HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n";
  const chunk = (length: number): string => `${length.toString(16)}\r\n${" ".repeat(length)}\r\n`;
  for (const expect of ["", "Expect: 100-continue\r\n"]) {
    using first = await rawConnection(gateway.port);
    first.write(`${post(100_000)}${" ".repeat(60_000)}`);
    using second = await rawConnection(gateway.port);
    // The first one holds 60,000 bytes once this one is refused.
    await until(async () => {
      using probe = await rawConnection(gateway.port);
      probe.write(`${post(20_000)}${" ".repeat(19_998)}{}`);
      return /OVERLOADED/.test(await probe.received(/\}$/));
    }, "the first body does not arrive");
    second.write(`${head}${expect}Transfer-Encoding: chunked\r\n\r\n`);
    if (expect !== "") await second.received(/100 Continue/);
    second.write(chunk(10_000));
    await second.received(/OVERLOADED/);
    first.socket.destroy();
    const answered = async (length: number): Promise<boolean> => {
      using probe = await rawConnection(gateway.port);
      probe.write(`${post(length)}${" ".repeat(length - 2)}{}`);
      return !/OVERLOADED/.test(await probe.received(/\}$/));
    };
    await until(() => answered(50_000), "the first body is still held");
    // The answer to the next request shows that the rest was read.
    second.write(`${chunk(30_000)}0\r\n\r\n${get("/healthz")}`);
    await second.received(/SERVING/);
    await until(() => answered(50_000), `bytes are held after a refusal (${expect})`);
  }
});

test("a client that gives up its requests is refused for a time, and others are not", async () => {
  const running = { now: 0 };
  const upstream = new MemoryUpstream(plumbline, {
    SayHello: async (request, { signal }) => {
      if ((request as { name: string }).name !== "slow") return { message: "Hello" };
      running.now += 1;
      await aborted(signal).catch(() => {});
      running.now -= 1;
      return { message: "late" };
    },
  });
  const settings = { limits: { ...limits, hangUpsPerSecond: 1, hangUpsBurst: 3 } };
  await using gateway = await openGateway(plumbline, { upstream, settings });
  using stack = new DisposableStack();
  const ask = async (name: string): Promise<RawConnection> => {
    const connection = stack.use(await rawConnection(gateway.port, "127.0.0.66"));
    connection.write(get(`/v1/greetings/${name}`));
    return connection;
  };
  // Answered requests do not count, nor do connections that are closed between requests.
  for (let i = 0; i < 10; i++) {
    const connection = await ask("a");
    assert.equal(answerIn(await connection.received(/Hello/)).status, 200);
    connection.socket.destroy();
  }
  const given = await Promise.all(Array.from({ length: 6 }, () => ask("slow")));
  await until(() => running.now === 6, "the calls do not run");
  for (const { socket } of given) socket.destroy();
  await until(() => running.now === 0, "the calls are not given up");
  const { status, problem } = answerIn(await (await ask("a")).received(/\}$/));
  assert.deepEqual([status, problem["reason"]], [429, "OVERLOADED"]);
  assert.equal((await gateway.fetch("/v1/greetings/a")).status, 200);
  await until(async () => answerIn(await (await ask("a")).received(/\}$/)).status === 200, "it is refused for longer");
});

test("a client that disconnects before its request takes a place leaves none taken", async () => {
  const { promise: asked, resolve: ask } = Promise.withResolvers<void>();
  const { promise: decided, resolve: decide } = Promise.withResolvers<void>();
  const allowed = { allowed: true, remaining: 1, retryAfterMs: 0, resetMs: 0 };
  const limiter = {
    take: async () => {
      ask();
      await decided;
      return { client: allowed, global: allowed };
    },
  };
  const upstream = new MemoryUpstream(plumbline, { SayHello: () => ({ message: "Hello" }) });
  const rateLimit = { perClient: { perSecond: 1, burst: 1 }, global: { perSecond: 1, burst: 1 } };
  const settings = { rateLimit, limits: { ...limits, concurrent: 1 } };
  await using gateway = await openGateway(plumbline, { upstream, limiter, settings });
  const gone = await rawConnection(gateway.port);
  gone.write(get("/v1/greetings/a"));
  await asked;
  gone.socket.destroy();
  await new Promise((resolve) => setTimeout(resolve, 200));
  decide();
  assert.equal((await gateway.fetch("/v1/greetings/a")).status, 200);
});

describe("a client that does not read its answers", () => {
  const big = "x".repeat(3 * 1024 * 1024);
  const upstream = new MemoryUpstream(plumbline, {
    SayHello: (request) => ({ message: (request as { name: string }).name === "big" ? big : "Hello" }),
  });

  test("gets no more of them than its share, while others get theirs; all places are left in the end", async () => {
    const telemetry = startTelemetry({ service: "gateway", destination: process.stderr });
    await using _telemetry = telemetry;
    const quiet = { ...telemetry, logger: { ...telemetry.logger, info: () => {} } };
    await using gateway = await openGateway(plumbline, {
      upstream,
      telemetry: quiet,
      settings: { limits: { ...limits, unreadBytesPerClient: 8 * 1024 * 1024, concurrent: 50 } },
    });
    using stack = new DisposableStack();
    const attackers = await connections(stack, gateway.port, 12, "127.0.0.66");
    for (const { socket } of attackers) socket.pause();
    for (const { write } of attackers) write(get("/v1/greetings/big").repeat(12));
    const count = async (): Promise<number> => {
      const { body } = await telemetry.metrics.text();
      return Number(/^http_server_active_requests\{method="GET"\} (\d+)$/m.exec(body)?.[1]);
    };
    // The first answers fill the share, and those behind them wait. All others are refused.
    await until(async () => (await count()) >= 2, "the requests do not run");
    for (let i = 0; i < 10; i++) assert.equal((await gateway.fetch("/v1/greetings/a")).status, 200);
    assert.equal(
      await (await gateway.fetch("/v1/greetings/big")).text().then((text) => text.length > big.length),
      true,
    );
    const refused = await rawConnection(gateway.port, "127.0.0.66");
    refused.write(get("/v1/greetings/a"));
    const { status, problem } = answerIn(await refused.received(/\}$/));
    assert.deepEqual([status, problem["reason"]], [429, "OVERLOADED"]);
    refused.socket.destroy();
    for (const { socket } of attackers) socket.destroy();
    await until(async () => (await count()) === 0, "some places are never left");
    const { body } = await telemetry.metrics.text();
    assert.doesNotMatch(body, /^admission_running\{.*\} [1-9]/m);
    using again = await rawConnection(gateway.port, "127.0.0.66");
    again.write(get("/v1/greetings/a"));
    assert.equal(answerIn(await again.received(/Hello/)).status, 200);
  });

  test("holds its place until it is disconnected, after the time that a client may read nothing", async () => {
    const settings = { limits: { ...limits, concurrent: 1 }, streams: { ...defaults.streams, stallMs: 500 } };
    await using gateway = await openGateway(plumbline, { upstream: huge(), settings });
    using attacker = await rawConnection(gateway.port, "127.0.0.66");
    attacker.socket.pause();
    attacker.write(get("/v1/greetings/big"));
    await until(async () => (await gateway.fetch("/v1/greetings/a")).status === 503, "the place is not held");
    await until(async () => (await gateway.fetch("/v1/greetings/a")).status === 200, "the place is not left");
    attacker.socket.resume();
    assert.ok((await attacker.closed()).length < 12 * 1024 * 1024);
  });

  test("is not disconnected while it reads slowly", async () => {
    const settings = { streams: { ...defaults.streams, stallMs: 3000 } };
    await using gateway = await openGateway(plumbline, { upstream: huge(24), settings });
    using client = await rawConnection(gateway.port);
    client.socket.pause();
    client.write(get("/v1/greetings/big"));
    // Longer than stallMs altogether, with pauses that are shorter. The kernel holds up to 36 MB,
    // and takes more only once a third of its buffer is free: after a few of these steps.
    for (let i = 1; i <= 12; i++) {
      await new Promise((resolve) => setTimeout(resolve, 300));
      client.socket.resume();
      await until(() => client.socket.bytesRead >= i * 3 * 1024 * 1024, "the answer ends early");
      client.socket.pause();
    }
    client.socket.resume();
    const size = 24 * big.length;
    await until(() => client.socket.destroyed || client.socket.bytesRead > size, "the answer does not end");
    assert.ok(client.socket.bytesRead > size, `${client.socket.bytesRead}`);
  });

  function huge(times = 8): MemoryUpstream {
    return new MemoryUpstream(plumbline, {
      SayHello: (request) => ({ message: (request as { name: string }).name === "big" ? big.repeat(times) : "Hello" }),
    });
  }
});

test("requests that a client sends without waiting for answers are all answered, in their order", async () => {
  const running = { now: 0, most: 0 };
  const upstream = new MemoryUpstream(plumbline, {
    SayHello: async (request) => {
      running.most = Math.max(running.most, ++running.now);
      await new Promise((resolve) => setTimeout(resolve, 1));
      running.now -= 1;
      return { message: `#${(request as { name: string }).name}#` };
    },
  });
  await using gateway = await openGateway(plumbline, { upstream });
  using connection = await rawConnection(gateway.port);
  const names = Array.from({ length: 300 }, (_, index) => `${index}`);
  connection.write(names.map((name) => get(`/v1/greetings/${name}`)).join(""));
  const text = await connection.received(/#299#/);
  assert.deepEqual(
    [...text.matchAll(/#(\d+)#/g)].map(([, name]) => name),
    names,
  );
  assert.equal(running.most, 4);
});
