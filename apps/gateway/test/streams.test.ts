import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { JsonValue } from "@bufbuild/protobuf";
import { ServiceError } from "@plumbline/errors";
import { allEvents, readEvents } from "./support/event-stream.ts";
import { defaults, openGateway, type TestGateway } from "./support/gateway.ts";
import { type Handler, MemoryUpstream } from "./support/memory-upstream.ts";
import { plumbline } from "./support/orders.ts";
import { answerIn, type RawConnection, rawConnection } from "./support/raw.ts";

const watch = "/v1/orders/7:watch";

function gatewayFor(WatchOrder: Handler, streams: Partial<typeof defaults.streams> = {}): Promise<TestGateway> {
  return openGateway(plumbline, {
    upstream: new MemoryUpstream(plumbline, { WatchOrder }),
    settings: { streams: { ...defaults.streams, ...streams } },
  });
}

async function* versions(...list: readonly number[]): AsyncIterable<JsonValue> {
  for (const version of list) yield { id: "7", version };
}

/** Yields the versions in `list`, then nothing until its reader ends it. */
async function* andThenSilence(...list: readonly number[]): AsyncIterable<JsonValue> {
  yield* versions(...list);
  await new Promise(() => {});
}

describe("the streams of one client", () => {
  const settings = { limits: { ...defaults.limits, streamsPerClient: 3 } };
  const upstream = new MemoryUpstream(plumbline, { WatchOrder: () => andThenSilence(1) });
  const ask = `GET ${watch} HTTP/1.1\r\nHost: x\r\n`;

  test("are bounded, so that others have room for theirs", async () => {
    await using gateway = await openGateway(plumbline, { upstream, settings });
    using stack = new DisposableStack();
    const open = async (from: string): Promise<RawConnection> => {
      const connection = stack.use(await rawConnection(gateway.port, from));
      connection.write(`${ask}\r\n`);
      return connection;
    };
    const first = await open("127.0.0.66");
    for (const { received } of [first, await open("127.0.0.66"), await open("127.0.0.66")]) await received(/data: /);
    const refused = await (await open("127.0.0.66")).received(/\}$/);
    const { status, problem } = answerIn(refused);
    assert.deepEqual([status, problem["reason"]], [429, "OVERLOADED"]);
    assert.match(refused, /\r\nRetry-After: 5\r\n/);
    assert.match(await (await open("127.0.0.67")).received(/data: /), /^HTTP\/1.1 200 /);
    first.socket.destroy();
    const again = async (): Promise<number> => answerIn(await (await open("127.0.0.66")).received(/data: |\}$/)).status;
    while ((await again()) !== 200) await sleep(10);
  });

  test("are counted for the client that a trusted proxy speaks for", async () => {
    await using gateway = await openGateway(plumbline, { upstream, settings, trustProxy: "loopback" });
    using stack = new DisposableStack();
    const open = async (client: string): Promise<number> => {
      const connection = stack.use(await rawConnection(gateway.port));
      connection.write(`${ask}X-Forwarded-For: ${client}\r\n\r\n`);
      return answerIn(await connection.received(/data: |\}$/)).status;
    };
    const statuses = [];
    for (const client of ["192.0.2.1", "192.0.2.1", "192.0.2.1", "192.0.2.1", "192.0.2.2"]) {
      statuses.push(await open(client));
    }
    assert.deepEqual(statuses, [200, 200, 200, 429, 200]);
  });
});

describe("a stream", () => {
  test("is sent as events with the version as their id, and closes with an end event", async () => {
    await using gateway = await gatewayFor(() => versions(1, 3));
    const response = await gateway.fetch(watch);
    assert.equal(response.headers.get("content-type"), "text/event-stream");
    assert.equal(response.headers.get("cache-control"), "no-store, no-transform");
    const events = await allEvents(response);
    assert.deepEqual(
      events.map(({ event, id, retry }) => (retry === undefined ? `${event} ${id}` : "retry")),
      ["retry", "message 1", "message 3", "end undefined"],
    );
    const first = JSON.parse(events[1]?.data ?? "") as { version: string; total: null };
    assert.equal(first.version, "1");
    assert.equal(first.total, null);
  });

  test("tells each client its own delay before it reconnects, so that not all come at once", async () => {
    await using gateway = await gatewayFor(() => versions(1));
    const retries = await Promise.all(
      Array.from({ length: 8 }, async () => Number((await allEvents(await gateway.fetch(watch)))[0]?.retry)),
    );
    for (const retry of retries) assert.ok(100 <= retry && retry <= 200, `${retry}`);
    assert.ok(new Set(retries).size > 1, `${retries}`);
  });

  test("continues after the last event that its client received", async () => {
    const requests: JsonValue[] = [];
    await using gateway = await gatewayFor((request) => {
      requests.push(request);
      return versions(9);
    });
    await allEvents(await gateway.fetch(`${watch}?afterVersion=2`, { headers: { "last-event-id": "8" } }));
    assert.deepEqual(requests, [{ orderId: "7", afterVersion: "8" }]);
  });

  test("that is resumed but complete answers 204, which stops an EventSource from reconnecting", async () => {
    await using gateway = await gatewayFor(() => versions());
    assert.equal((await gateway.fetch(watch, { headers: { "last-event-id": "8" } })).status, 204);
    assert.deepEqual((await allEvents(await gateway.fetch(watch))).at(-1)?.event, "end");
  });

  test("that fails before its first message answers with the status of the failure", async () => {
    await using gateway = await gatewayFor(() => {
      throw new ServiceError("not_found", "no order 7", { reason: "ORDER_NOT_FOUND" });
    });
    const response = await gateway.fetch(watch);
    assert.equal(response.status, 404);
    assert.equal(((await response.json()) as { reason: string }).reason, "ORDER_NOT_FOUND");
  });

  test("that fails later ends with an event that has the problem", async () => {
    await using gateway = await gatewayFor(async function* () {
      yield* versions(1);
      throw new ServiceError("internal", "secret");
    });
    const events = await allEvents(await gateway.fetch(watch, { headers: { "x-request-id": "r-1" } }));
    assert.deepEqual(events.map(({ event }) => event).slice(1), ["message", "error"]);
    const problem = JSON.parse(events.at(-1)?.data ?? "") as Record<string, unknown>;
    assert.deepEqual(
      { status: problem["status"], code: problem["code"], requestId: problem["requestId"] },
      { status: 500, code: "internal", requestId: "r-1" },
    );
    assert.doesNotMatch(JSON.stringify(problem), /secret/);
  });

  test("that is resumed while its service restarts asks its client to reconnect", async () => {
    await using gateway = await gatewayFor(() => {
      throw new ServiceError("unavailable", "restarting");
    });
    assert.equal((await gateway.fetch(watch)).status, 503);
    const events = await allEvents(await gateway.fetch(watch, { headers: { "last-event-id": "1" } }));
    assert.deepEqual(
      events.map(({ event, retry }) => (retry === undefined ? event : "retry")),
      ["retry", "error", "retry"],
    );
  });

  test("without messages is kept alive by heartbeats, also before the first one", async () => {
    await using gateway = await gatewayFor(() => andThenSilence(), { heartbeatMs: 20, openMs: 10 });
    const client = new AbortController();
    const events = readEvents(await gateway.fetch(watch, { signal: client.signal }));
    assert.ok((await events.next()).value?.retry);
    assert.equal((await events.next()).value?.comment, "heartbeat");
    assert.equal((await events.next()).value?.comment, "heartbeat");
    client.abort();
    await assert.rejects(async () => allOf(events));
  });

  test("ends at its greatest age, asks its client to reconnect and ends the call", async () => {
    const { promise: gone, resolve } = Promise.withResolvers<void>();
    await using gateway = await gatewayFor(
      (_request, { signal }) => {
        signal.addEventListener("abort", () => resolve(), { once: true });
        return andThenSilence(1);
      },
      { maxAgeMs: 50 },
    );
    const events = await allEvents(await gateway.fetch(watch));
    assert.deepEqual(
      events.map(({ event }) => event),
      ["message", "message", "message"],
    );
    assert.equal(events.at(-1)?.comment, "reconnect");
    const retry = Number(events.at(-1)?.retry);
    assert.ok(100 <= retry && retry <= 200, `${retry}`);
    await gone;
  });

  test("ends at once when the gateway drains, and asks its client to reconnect", async () => {
    await using gateway = await gatewayFor(() => andThenSilence(1));
    const events = readEvents(await gateway.fetch(watch));
    await events.next();
    await events.next();
    gateway.drain();
    assert.equal((await events.next()).value?.comment, "reconnect");
    assert.equal((await events.next()).done, true);
  });

  test("ends the call to its service when its client disconnects", async () => {
    const { promise: gone, resolve } = Promise.withResolvers<unknown>();
    await using gateway = await gatewayFor((_request, { signal }) => {
      signal.addEventListener("abort", () => resolve(signal.reason), { once: true });
      return andThenSilence(1);
    });
    const client = new AbortController();
    const events = readEvents(await gateway.fetch(watch, { signal: client.signal }));
    await events.next();
    client.abort();
    assert.equal(((await gone) as Error).name, "AbortError");
  });

  test("requests no more than its client reads, and disconnects a client that reads nothing", async () => {
    let produced = 0;
    const { promise: stopped, resolve: stop } = Promise.withResolvers<void>();
    const rejectionReason = "x".repeat(64 * 1024);
    await using gateway = await gatewayFor(
      async function* () {
        try {
          for (;;) yield { id: "7", version: ++produced, rejectionReason };
        } finally {
          stop();
        }
      },
      { stallMs: 200 },
    );
    const socket = connect(gateway.port, "127.0.0.1");
    const closed = once(socket, "close");
    socket.write(`GET ${watch} HTTP/1.1\r\nHost: x\r\n\r\n`);
    socket.once("data", () => socket.pause());
    await stopped;
    assert.ok(produced < 1000, `${produced} messages of 64 KiB are more than the buffers in between can hold`);
    socket.resume();
    await closed;
  });

  test("is sent as lines of JSON if Accept asks for them", async () => {
    await using gateway = await gatewayFor(async function* () {
      yield* versions(1);
      throw new ServiceError("unavailable", "gone");
    });
    const response = await gateway.fetch(watch, { headers: { accept: "application/x-ndjson" } });
    assert.equal(response.headers.get("content-type"), "application/x-ndjson");
    const lines = (await response.text())
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, { version?: string; code?: string }>);
    assert.equal(lines[0]?.["result"]?.version, "1");
    assert.equal(lines[1]?.["error"]?.code, "unavailable");
  });

  for (const { accept, status } of [
    { accept: "text/event-stream", status: 200 },
    { accept: "*/*", status: 200 },
    { accept: "application/json", status: 406 },
  ]) {
    test(`with Accept ${accept} is answered with ${status}`, async () => {
      await using gateway = await gatewayFor(() => versions(1));
      const response = await gateway.fetch(watch, { headers: { accept } });
      assert.equal(response.status, status);
      await response.text();
    });
  }

  test("counts against its own limit until it ends (negative 37)", async () => {
    const settings = { limits: { ...defaults.limits, streams: 1 } };
    const upstream = new MemoryUpstream(plumbline, {
      WatchOrder: () => andThenSilence(1),
      GetOrder: () => ({ id: "7" }),
    });
    await using gateway = await openGateway(plumbline, { upstream, settings });
    const client = new AbortController();
    const events = readEvents(await gateway.fetch(watch, { signal: client.signal }));
    await events.next();
    assert.equal((await gateway.fetch(watch)).status, 503);
    assert.equal((await gateway.fetch("/v1/orders/7")).status, 200);
    client.abort();
    for (let status = 503; status === 503; ) {
      const again = new AbortController();
      status = (await gateway.fetch(watch, { signal: again.signal })).status;
      again.abort();
    }
  });
});

async function allOf(events: AsyncIterable<unknown>): Promise<void> {
  for await (const _event of events);
}
