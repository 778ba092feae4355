import assert from "node:assert/strict";
import { aborted } from "@plumbline/concurrency";
import { type Code, ServiceError } from "@plumbline/errors";
import { type Case, kinds, Moment, settled } from "./test-context.ts";

const kib = 1024;
const block = "x".repeat(64 * kib);
/**
 * The most octets in flight: HTTP/2's windows, the sockets' buffers and a few messages on each
 * side.
 */
const onTheWay = 4 * kib * kib;

export const flowCases: readonly Case[] = [
  {
    name: "a slow reader holds the handler back, and gets everything in the end",
    async run(context) {
      const total = 200;
      let yielded = 0;
      const { client } = await context.open({
        async *serverStream() {
          for (; yielded < total; yielded++) yield block;
        },
      });
      let read = 0;
      for await (const message of client.serverStream("")) {
        if (read === 0) {
          const ahead = await settled(() => yielded);
          assert.ok(ahead * block.length < onTheWay, `${ahead} messages ahead of the reader`);
        }
        assert.equal(message.length, block.length);
        read++;
      }
      assert.equal(read, total);
    },
  },
  {
    name: "a slow handler holds the sender back, and gets everything in the end",
    async run(context) {
      const total = 200;
      const go = new Moment();
      const { client } = await context.open({
        async clientStream(requests) {
          await go.reached;
          let bytes = 0;
          for await (const request of requests) bytes += request.length;
          return `${bytes}`;
        },
      });
      let taken = 0;
      async function* requests(): AsyncGenerator<string> {
        for (; taken < total; taken++) yield block;
      }
      const answer = client.clientStream(requests());
      const ahead = await settled(() => taken);
      assert.ok(ahead * block.length < onTheWay, `${ahead} messages ahead of the handler`);
      go.reach();
      assert.equal(await answer, `${total * block.length}`);
    },
  },
  {
    name: "a stream with all its messages at hand does not starve other calls, in either direction",
    async run(context) {
      // Small enough to fit in HTTP/2's windows together, so nothing else holds the sender back.
      const total = 3_000;
      const count = { sent: 0, taken: 0 };
      async function* all(counted: keyof typeof count): AsyncGenerator<string> {
        for (; count[counted] < total; count[counted]++) yield "x";
      }
      const { client } = await context.open({
        serverStream: () => all("sent"),
        clientStream: async (requests) => `${(await Array.fromAsync(requests)).length}`,
      });
      const responses = Array.fromAsync(client.serverStream(""));
      await client.unary("");
      assert.ok(count.sent < total, "it was all sent before another call was answered");
      assert.equal((await responses).length, total);
      const answer = client.clientStream(all("taken"));
      await client.unary("");
      assert.ok(count.taken < total, "it was all taken before another call was answered");
      assert.equal(await answer, `${total}`);
    },
  },
  ...kinds.map(
    (kind): Case => ({
      name: `a message of ${kind} may have the size of the limit and no more, in either direction`,
      async run(context) {
        const maxMessageBytes = 256 * kib;
        const sized = (length: string): string => "y".repeat(Number(length));
        const { client, server } = await context.open(
          {
            unary: async (request) => sized(request),
            clientStream: async (requests) => sized((await Array.fromAsync(requests)).join("")),
            async *serverStream(request) {
              yield sized(request);
            },
            async *bidiStream(requests) {
              for await (const request of requests) yield sized(request);
            },
          },
          { server: { maxMessageBytes } },
        );
        async function* one(value: string): AsyncGenerator<string> {
          yield value;
        }
        const asks = {
          unary: async (from: typeof client, value: string) => from.unary(value),
          clientStream: async (from: typeof client, value: string) => from.clientStream(one(value)),
          serverStream: async (from: typeof client, value: string) =>
            (await Array.fromAsync(from.serverStream(value))).join(),
          bidiStream: async (from: typeof client, value: string) =>
            (await Array.fromAsync(from.bidiStream(one(value)))).join(),
        };
        const ask = async (from: typeof client, value: string): Promise<number> =>
          (await asks[kind](from, value)).length;
        assert.equal(await ask(client, `${maxMessageBytes}`), maxMessageBytes);
        // A request of the largest size: a small number with many zeros before it.
        assert.equal(await ask(client, "1".padStart(maxMessageBytes, "0")), 1);
        const tooLarge = { code: "resource_exhausted" };
        await assert.rejects(ask(client, `${maxMessageBytes + 1}`), tooLarge, "a response the server may not send");
        await assert.rejects(
          ask(client, "1".padStart(maxMessageBytes + 1, "0")),
          tooLarge,
          "a request it may not take",
        );

        const narrow = context.client(await context.connect(server.port, { maxMessageBytes: 64 * kib }));
        await assert.rejects(ask(narrow, `${64 * kib + 1}`), tooLarge, "a response the client may not take");
        await assert.rejects(ask(narrow, "1".padStart(64 * kib + 1, "0")), tooLarge, "a request it may not send");
        assert.equal(await ask(narrow, `${64 * kib}`), 64 * kib, "the connection is still good");
      },
    }),
  ),
  {
    name: "calls above the server's limit are shed at once, and accepted again when there is capacity",
    async run(context) {
      const full = new Moment();
      const room = new Moment();
      let running = 0;
      const { client } = await context.open(
        {
          unary: async (request) => {
            if (++running === 3) full.reach();
            await room.reached;
            return request;
          },
        },
        { server: { maxConcurrent: 3 } },
      );
      const taken = ["a", "b", "c"].map((text) => client.unary(text));
      await full.reached;
      await assert.rejects(client.unary("d"), { code: "unavailable", retryAfterMs: 100 });
      room.reach();
      assert.deepEqual(await Promise.all(taken), ["a", "b", "c"]);
      assert.equal(await client.unary("e"), "e");
    },
  },
  {
    name: "calls above the stream limit of a connection wait in the client",
    async run(context) {
      let most = 0;
      let running = 0;
      const { client } = await context.open(
        {
          unary: async (request) => {
            most = Math.max(most, ++running);
            await new Promise((resolve) => setImmediate(resolve));
            running--;
            return request;
          },
        },
        { server: { maxConcurrentStreams: 4 } },
      );
      await client.unary("connect first: the limit comes with the server's first frame");
      const want = Array.from({ length: 40 }, (_, index) => `${index}`);
      assert.deepEqual(await Promise.all(want.map((text) => client.unary(text))), want);
      assert.ok(most <= 4, `${most} at once`);
    },
  },
  {
    name: "a call that finds all streams of its connection taken ends as unavailable, long before its deadline",
    async run(context) {
      const both = new Moment();
      const room = new Moment();
      let running = 0;
      const { client } = await context.open(
        {
          unary: async (request) => {
            if (request === "ready") return request;
            if (++running === 2) both.reach();
            await room.reached;
            return request;
          },
        },
        { server: { maxConcurrentStreams: 2 } },
      );
      await client.unary("ready");
      const taken = ["a", "b"].map((text) => client.unary(text));
      await both.reached;
      const late = { timeoutMs: 600_000 };
      const refused = { code: "unavailable", message: /was free within 1000 ms/ };
      await Promise.all(["c", "d"].map((text) => assert.rejects(client.unary(text, late), refused)));
      await assert.rejects(client.unary("e", { timeoutMs: 100 }), { code: "deadline_exceeded" });
      room.reach();
      assert.deepEqual(await Promise.all(taken), ["a", "b"]);
      assert.equal(await client.unary("f"), "f");
    },
  },
  {
    name: "a call that waits for a stream gets one of a new connection at once",
    async run(context) {
      const begun = new Moment();
      const room = new Moment();
      const { client, server } = await context.open(
        {
          unary: async (request) => {
            if (request !== "lasting") return request;
            begun.reach();
            await room.reached;
            return request;
          },
        },
        { server: { maxConcurrentStreams: 1 } },
      );
      await client.unary("ready");
      const lasting = client.unary("lasting");
      await begun.reached;
      const waiting = ["a", "b", "c"].map((text) => client.unary(text));
      server.recycle();
      assert.deepEqual(await Promise.all(waiting), ["a", "b", "c"]);
      room.reach();
      assert.equal(await lasting, "lasting");
    },
  },
  {
    name: "streams at the server's limit leave room for unary calls",
    async run(context) {
      const { client } = await context.open(
        {
          async *serverStream(request, { signal }) {
            yield request;
            await aborted(signal).catch(() => {});
          },
        },
        { server: { maxStreams: 2, maxConcurrent: 2 } },
      );
      const stop = new AbortController();
      const open = ["a", "b"].map((text) => client.serverStream(text, { signal: stop.signal })[Symbol.asyncIterator]());
      for (const stream of open) await stream.next();
      await assert.rejects(Array.fromAsync(client.serverStream("c")), { code: "unavailable", retryAfterMs: 100 });
      assert.equal(await client.unary("d"), "d");
      stop.abort();
      for (const stream of open) await assert.rejects(stream.next());
    },
  },
  {
    name: "only methods named as safe are retried, and only after unavailable",
    async run(context) {
      const calls: Record<string, number> = {};
      const { channel } = await context.open({
        unary: async (code) => {
          calls[code] = (calls[code] ?? 0) + 1;
          throw new ServiceError(code as Code, code);
        },
      });
      const again = context.client(channel, { retry: { methods: ["unary"], attempts: 3, baseMs: 1 } });
      const once = context.client(channel);
      await assert.rejects(again.unary("unavailable"), { code: "unavailable" });
      await assert.rejects(again.unary("internal"), { code: "internal" });
      await assert.rejects(once.unary("unavailable"), { code: "unavailable" });
      assert.deepEqual(calls, { unavailable: 4, internal: 1 });
      assert.throws(() => context.client(channel, { retry: { methods: ["bidiStream"] } }), TypeError);
    },
  },
];
