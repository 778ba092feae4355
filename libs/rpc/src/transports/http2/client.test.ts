/** Tests of calls that wait for a connection, and of connections that come and go under calls. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { codeOf } from "@plumbline/errors";
import { noTelemetry } from "@plumbline/telemetry";
import { Conformance, type ConformanceHandlers, echo, untilAborted } from "../../conformance/test-context.ts";
import { connect, createClient, type RpcServer, serve, service } from "../../index.ts";

const transport = "http2";

function start(handlers: Partial<ConformanceHandlers>, port = 0): Promise<RpcServer> {
  return serve(
    { services: [service(Conformance, { ...echo, ...handlers })], telemetry: noTelemetry },
    { host: "127.0.0.1", port, graceMs: 5_000, transport },
  );
}

test("a call that is given up as its first request is read leaves nothing on the server", async () => {
  const handlers = { begun: 0, ended: 0 };
  const lasting = async (call: Parameters<ConformanceHandlers["unary"]>[1]): Promise<never> => {
    handlers.begun++;
    try {
      return await untilAborted(call);
    } finally {
      handlers.ended++;
    }
  };
  await using server = await start({ clientStream: (_, call) => lasting(call) });
  await using channel = await connect(`127.0.0.1:${server.port}`, noTelemetry, { transport, timeoutMs: 60_000 });
  const client = createClient(Conformance, channel);
  const controller = new AbortController();
  const reason = new Error("given up");
  // It waits for the connection. When that is there the call is sent, and its request is read.
  async function* requests(): AsyncGenerator<string> {
    controller.abort(reason);
    yield "";
  }
  await assert.rejects(client.clientStream(requests(), { signal: controller.signal }), reason);
  assert.equal(await client.unary("a later call"), "a later call");
  const until = performance.now() + 5_000;
  while (handlers.ended < handlers.begun && performance.now() < until) await delay(10);
  assert.equal(handlers.ended, handlers.begun, "handlers that began have ended");
});

/** Makes calls one after the other, several at a time, until `done`. Counts how they end. */
async function load(target: string, outcomes: Map<string, number>, done: () => boolean): Promise<void> {
  await using channel = await connect(target, noTelemetry, { transport, timeoutMs });
  const client = createClient(Conformance, channel);
  const calls = [
    () => client.unary("a"),
    () => client.unary("b".repeat(300_000)), // Above a stream's window: it takes several turns.
    () => Array.fromAsync(client.bidiStream(two())),
  ];
  const caller = async (first: number): Promise<void> => {
    for (let count = first; !done(); count++) {
      const outcome = await calls[count % calls.length]!().then(() => "ok", codeOf);
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
      if (outcome !== "ok") await delay(1);
    }
  };
  await Promise.all([0, 1, 2, 3].map(caller));
}

async function* two(): AsyncGenerator<string> {
  yield "a";
  yield "b";
}

/** A call that is lost ends by this deadline. No other call comes near it. */
const timeoutMs = 20_000;

test("no call is lost or fails while its server asks for new connections", async () => {
  const peers = new Set<string>();
  await using server = await start({
    unary: async (request, { peer }) => {
      peers.add(peer);
      return request;
    },
  });
  const outcomes = new Map<string, number>();
  let isDone = false;
  const calls = load(`127.0.0.1:${server.port}`, outcomes, () => isDone);
  const until = performance.now() + 30_000;
  for (let turns = 0; peers.size < 500 && performance.now() < until; turns++) {
    server.recycle();
    await delay(turns % 4);
  }
  isDone = true;
  await calls;
  assert.ok(peers.size >= 100, `${peers.size} connections`);
  assert.deepEqual([...outcomes.keys()], ["ok"], JSON.stringify([...outcomes]));
});

test("no call is lost while its server comes and goes", async () => {
  let server = await start({});
  const { port } = server;
  const outcomes = new Map<string, number>();
  let isDone = false;
  const calls = load(`127.0.0.1:${port}`, outcomes, () => isDone);
  for (let times = 0; times < 30; times++) {
    const before = outcomes.get("ok") ?? 0;
    while ((outcomes.get("ok") ?? 0) === before) await delay(1);
    await server.drain();
    await delay(times % 3);
    server = await start({}, port);
  }
  isDone = true;
  await calls;
  await server.drain();
  for (const outcome of outcomes.keys()) assert.match(outcome, /^(ok|unavailable)$/, JSON.stringify([...outcomes]));
});
