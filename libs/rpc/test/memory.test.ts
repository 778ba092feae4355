/** Tests of the memory that clients can make a server hold, over both transports. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { type ClientHttp2Session, type ClientHttp2Stream, connect as connectHttp2, constants } from "node:http2";
import { describe, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { noTelemetry } from "@plumbline/telemetry";
import { Conformance, type ConformanceHandlers, echo, untilAborted } from "../src/conformance/test-context.ts";
import { connect, createClient, type ServeOptions, serve, service } from "../src/index.ts";

const mebibyte = 1024 * 1024;

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

for (const transport of ["http2", "grpc-js"] as const) {
  void describe(`a ${transport} server`, () => {
    async function open(handlers: Partial<ConformanceHandlers>, options: Partial<ServeOptions> = {}) {
      const services = [service(Conformance, { ...echo, ...handlers })];
      return await serve(
        { services, telemetry: noTelemetry },
        { host: "127.0.0.1", port: 0, graceMs: 100, transport, trustedPeers: "", ...options },
      );
    }

    void test("answers that a client does not read are bounded for its address, and others are served", async () => {
      const memory = { maxHeldBytes: 8 * mebibyte, maxHeldBytesPerPeer: 2 * mebibyte };
      await using server = await open({ unary: async () => "x".repeat(mebibyte / 4) }, memory);
      // Several connections of one address, none of which grants octets.
      using first = dial(server.port, "127.0.0.2", { initialWindowSize: 0 });
      using second = dial(server.port, "127.0.0.2", { initialWindowSize: 0 });
      const calls = Array.from({ length: 60 }, (_, index) => begin((index % 2 ? first : second).session, "Unary", "a"));
      for (const call of calls) call.end();
      // 2 MiB are fewer than 8 answers of 256 KiB; the rest is refused with a status.
      const refused = await waitFor(() => calls.filter(({ status }) => status() === "14"), 53);
      assert.ok(refused.length <= 60 - 4, `${refused.length} refused: some answers wait`);
      const channel = await connect(`127.0.0.1:${server.port}`, noTelemetry, { timeoutMs: 10_000 });
      await using _ = channel;
      assert.equal((await createClient(Conformance, channel).unary("")).length, mebibyte / 4);
    });

    void test("an answer of which the client takes nothing ends its call, and its memory is free again", async () => {
      const memory = { maxHeldBytes: mebibyte, maxHeldBytesPerPeer: mebibyte };
      const big = "x".repeat(600 * 1024);
      await using server = await open({ unary: async () => big }, { ...memory, stallMs: 300 });
      using peer = dial(server.port, "127.0.0.1", { initialWindowSize: 0 });
      const unread = begin(peer.session, "Unary", "a");
      unread.end();
      assert.equal(await unread.reset, constants.NGHTTP2_ENHANCE_YOUR_CALM);
      await using channel = await connect(`127.0.0.1:${server.port}`, noTelemetry, { timeoutMs: 10_000 });
      assert.equal(await createClient(Conformance, channel).unary(""), big);
    });

    void test("an answer that was read leaves no timer, which would keep its call in memory", async (t) => {
      const stallMs = 54_321;
      const timers = new Set<unknown>();
      const { setTimeout: set, clearTimeout: clear } = globalThis;
      t.mock.method(globalThis, "setTimeout", (run: (value: unknown) => void, ms?: number, value?: unknown) => {
        const timer = set(run, ms, value);
        if (ms === stallMs) timers.add(timer);
        return timer;
      });
      t.mock.method(globalThis, "clearTimeout", (timer: NodeJS.Timeout | undefined) => {
        timers.delete(timer);
        clear(timer);
      });
      const large = "x".repeat(2 * mebibyte);
      const handlers: Partial<ConformanceHandlers> = {
        unary: async () => large,
        async *serverStream() {
          yield large;
        },
      };
      await using server = await open(handlers, { stallMs });
      await using channel = await connect(`127.0.0.1:${server.port}`, noTelemetry, { timeoutMs: 10_000 });
      const client = createClient(Conformance, channel);
      assert.equal((await client.unary("")).length, large.length);
      assert.equal((await Array.fromAsync(client.serverStream(""))).length, 1);
      assert.equal(timers.size, 0);
    });

    void test("refusals that a client does not take are bounded for its address, and end", async () => {
      const memory = { maxHeldBytes: 64 * 1024, maxHeldBytesPerPeer: 32 * 1024 };
      await using server = await open({}, { ...memory, stallMs: 300 });
      using peer = dial(server.port, "127.0.0.2", { initialWindowSize: 0 });
      const codes = await Promise.all(
        Array.from({ length: 100 }, () => {
          const stream = peer.session.request({ ":method": "PUT", ":path": "/" }, { endStream: false });
          stream.on("error", () => {});
          return new Promise((resolve) => stream.once("close", () => resolve(stream.rstCode)));
        }),
      );
      const count = (wanted: number) => codes.filter((code) => code === wanted).length;
      const [refused, ended] = [constants.NGHTTP2_REFUSED_STREAM, constants.NGHTTP2_ENHANCE_YOUR_CALM].map(count);
      assert.deepEqual([refused! + ended!, refused! > 50, ended! > 0], [100, true, true], `${codes}`);
    });

    void test("a refused request whose rest arrives while its answer waits adds no listeners", async () => {
      const warnings: string[] = [];
      const onWarning = ({ name }: Error): void => void warnings.push(name);
      process.on("warning", onWarning);
      using _ = { [Symbol.dispose]: () => void process.off("warning", onWarning) };
      const handlers: Partial<ConformanceHandlers> = {
        async *bidiStream(requests) {
          void Array.fromAsync(requests).catch(() => {});
          yield "x".repeat(900 * 1024);
        },
      };
      const memory = { maxHeldBytes: mebibyte, maxHeldBytesPerPeer: mebibyte };
      await using server = await open(handlers, { ...memory, stallMs: 1_000 });
      using peer = dial(server.port, "127.0.0.1", { initialWindowSize: 0 });
      const call = begin(peer.session, "BidiStream");
      await call.write(Buffer.from("00003ffffa", "hex"));
      for (let sent = 0; sent < 400; sent++) await call.write(Buffer.alloc(1_024));
      assert.equal(await call.reset, constants.NGHTTP2_ENHANCE_YOUR_CALM);
      assert.deepEqual(warnings, []);
    });

    void test("requests that never end are bounded for their address", async () => {
      const memory = { maxHeldBytes: 8 * mebibyte, maxHeldBytesPerPeer: 2 * mebibyte };
      await using server = await open({}, memory);
      using peer = dial(server.port, "127.0.0.2", {});
      const calls = Array.from({ length: 20 }, () => begin(peer.session, "Unary"));
      // Each promises 4 MiB and sends 300 KiB of them.
      const part = Buffer.concat([Buffer.from("00003ffffa", "hex"), Buffer.alloc(300 * 1024)]);
      for (const call of calls) void call.write(part);
      const refused = await waitFor(
        () => calls.filter(({ status }) => status() === "8" || status() === "reset 11"),
        12,
      );
      assert.ok(refused.length < 20, "those that fit are still received");
      await using channel = await connect(`127.0.0.1:${server.port}`, noTelemetry, { timeoutMs: 10_000 });
      assert.equal(await createClient(Conformance, channel).unary("served"), "served");
    });

    void test("a unary call without a deadline has the server's, also while its request is received", async () => {
      const seen: number[] = [];
      await using server = await open(
        {
          unary: async (_request, call) => {
            seen.push(1);
            return await untilAborted(call);
          },
        },
        { defaultTimeoutMs: 300 },
      );
      using peer = dial(server.port, "127.0.0.1", {});
      const incomplete = begin(peer.session, "Unary");
      const running = begin(peer.session, "Unary", "a");
      running.end();
      for (const call of [incomplete, running]) assert.equal(await call.ended, "4");
      assert.equal(seen.length, 1);
    });

    void test("small messages of a stream do not keep the reads that they came in", async () => {
      const hold = Promise.withResolvers<void>();
      await using server = await open({
        async *bidiStream(requests) {
          yield "begun";
          await hold.promise;
          yield* requests;
        },
        async clientStream(requests) {
          for await (const _ of requests); // Each is dropped at once.
          return "";
        },
      });
      using peer = dial(server.port, "127.0.0.1", {});
      const stream = begin(peer.session, "BidiStream");
      await stream.begun;
      // A second stream shares the reads.
      const dropped = begin(peer.session, "ClientStream");
      const before = await settledMemory();
      for (let sent = 0; sent < 400; sent++) {
        await Promise.all([stream.write(message("x")), dropped.write(message("y".repeat(60_000)))]);
      }
      const held = (await settledMemory()) - before;
      hold.resolve();
      assert.ok(held < 12 * mebibyte, `${(held / mebibyte).toFixed(1)} MiB for 400 messages of one octet`);
    });

    void test("calls that do not fit are refused, and smaller ones are served", async () => {
      const memory = { maxHeldBytes: 40_000, maxHeldBytesPerPeer: 40_000 };
      await using server = await open({}, memory);
      await using channel = await connect(`127.0.0.1:${server.port}`, noTelemetry, { timeoutMs: 10_000 });
      const client = createClient(Conformance, channel);
      const large = "x".repeat(60_000);
      await assert.rejects(client.unary(large), { code: "resource_exhausted" });
      await assert.rejects(client.clientStream(one(large)), { code: "resource_exhausted" });
      assert.equal(await client.unary("small"), "small");
      assert.equal(await client.clientStream(one("small")), "small");
    });
  });
}

async function* one(text: string): AsyncGenerator<string> {
  yield text;
}

function dial(port: number, localAddress: string, settings: { readonly initialWindowSize?: number }) {
  const session = connectHttp2(`http://127.0.0.1:${port}`, { localAddress, settings } as object);
  session.on("error", () => {});
  return { session, [Symbol.dispose]: () => session.destroy() };
}

function message(text: string): Buffer {
  const bytes = Buffer.from(text);
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([prefix, bytes]);
}

interface RawCall {
  /** Resolves with the first octets of the answer. */
  readonly begun: Promise<unknown>;
  /** Resolves with the code that the server resets the stream with. */
  readonly reset: Promise<number>;
  /** Resolves with the status. */
  readonly ended: Promise<string | undefined>;
  readonly status: () => string | undefined;
  /** Resolves when the octets are sent, or cannot be. */
  write(bytes: Buffer): Promise<void>;
  end(): void;
}

/** Begins a call that sends `text` and stays open. Its answer is read only by status. */
function begin(session: ClientHttp2Session, method: string, text?: string): RawCall {
  const path = `/${Conformance.fullName}/${method}`;
  const headers = { ":method": "POST", ":path": path, "content-type": "application/grpc", te: "trailers" };
  const stream: ClientHttp2Stream = session.request(headers, { endStream: false });
  stream.on("error", () => {});
  let status: string | undefined;
  const take = (fields: Record<string, unknown>): void => {
    if (fields["grpc-status"] !== undefined) status = String(fields["grpc-status"]);
  };
  stream.on("response", take);
  stream.on("trailers", take);
  stream.on("close", () => (status ??= `reset ${stream.rstCode}`));
  const begun = once(stream, "data").catch(() => {});
  if (text !== undefined) stream.write(message(text));
  const closed = new Promise<void>((resolve) => stream.once("close", resolve));
  return {
    begun,
    reset: closed.then(() => stream.rstCode ?? 0),
    ended: closed.then(() => status),
    status: () => status,
    write: (bytes) =>
      new Promise((resolve) => void (stream.writable ? stream.write(bytes, () => resolve()) : resolve())),
    end: () => stream.end(),
  };
}

/** Resolves with the octets of buffers in use, once garbage is collected. */
async function settledMemory(): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 5; round++) {
    await delay(50);
    collectGarbage();
    least = Math.min(least, process.memoryUsage().arrayBuffers);
  }
  return least;
}

/** Resolves with `read()` once it has at least `count` entries. */
async function waitFor<T>(read: () => readonly T[], count: number): Promise<readonly T[]> {
  for (const giveUpAt = performance.now() + 20_000; ; await delay(20)) {
    const found = read();
    if (found.length >= count) return found;
    if (performance.now() > giveUpAt) throw new Error(`${found.length} of ${count} within 20 s`);
  }
}
