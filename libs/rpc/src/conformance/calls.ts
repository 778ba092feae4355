import assert from "node:assert/strict";
import { Writable } from "node:stream";
import { startTelemetry } from "@plumbline/telemetry";
import type { Metadata } from "../metadata.ts";
import { type Case, kinds, Moment, onceEach } from "./test-context.ts";

const bytes = Uint8Array.from({ length: 256 }, (_, index) => index);

export const callCases: readonly Case[] = [
  {
    name: "a unary call is answered",
    async run(context) {
      const { client } = await context.open({ unary: async (request) => `hello ${request}` });
      assert.equal(await client.unary("ada"), "hello ada");
    },
  },
  {
    name: "an empty message is a message",
    async run(context) {
      const { client } = await context.open();
      assert.equal(await client.unary(""), "");
      assert.deepEqual(await Array.fromAsync(client.serverStream("")), [""]);
    },
  },
  {
    name: "a server's stream arrives whole and in order",
    async run(context) {
      const want = Array.from({ length: 300 }, (_, index) => `${index}`);
      const { client } = await context.open({
        async *serverStream() {
          yield* want;
        },
      });
      assert.deepEqual(await Array.fromAsync(client.serverStream("")), want);
    },
  },
  {
    name: "a client's stream gets one response after all of it is read",
    async run(context) {
      const { client } = await context.open();
      assert.equal(await client.clientStream(streamOf("a", "b", "c")), "a,b,c");
      assert.equal(await client.clientStream(streamOf()), "");
    },
  },
  {
    name: "a client's stream may be answered before its end, and is then closed",
    async run(context) {
      const { client } = await context.open({
        async clientStream(requests) {
          for await (const first of requests) return first;
          return "";
        },
      });
      const released = new Moment();
      async function* endless(): AsyncGenerator<string> {
        try {
          for (let count = 0; ; count++) yield `${count}`;
        } finally {
          released.reach();
        }
      }
      assert.equal(await client.clientStream(endless()), "0");
      await released.reached;
    },
  },
  {
    name: "messages flow in both directions at once",
    async run(context) {
      const { client } = await context.open();
      const turn = [new Moment<string>(), new Moment<string>(), new Moment<string>()];
      async function* requests(): AsyncGenerator<string> {
        yield "start";
        for (const { reached } of turn) yield `after ${await reached}`;
      }
      const got: string[] = [];
      for await (const response of client.bidiStream(requests())) {
        turn[got.length]?.reach(response);
        got.push(response);
      }
      assert.deepEqual(got, ["start", "after start", "after after start", "after after after start"]);
    },
  },
  {
    name: "metadata arrives, text and bytes, in any case of its name",
    async run(context) {
      const got = new Moment<Metadata>();
      const { client } = await context.open({
        unary: async (_, { metadata }) => {
          got.reach(metadata);
          return "";
        },
      });
      await client.unary("", { metadata: { "Idempotency-Key": "k 1", "trace-bin": bytes } });
      const metadata = await got.reached;
      assert.equal(metadata.get("IDEMPOTENCY-key"), "k 1");
      assert.deepEqual(metadata.getBinary("trace-bin"), bytes);
      assert.equal(metadata.get("trace-bin"), undefined);
      assert.equal(metadata.get("other"), undefined);
    },
  },
  ...kinds.map(
    (kind): Case => ({
      name: `headers and trailers of ${kind} arrive, text and bytes`,
      async run(context) {
        const { client } = await context.open({
          async unary(_, call) {
            call.setHeader("here", "header");
            call.setTrailer("there-bin", bytes);
            return "";
          },
          async clientStream(_, call) {
            call.setHeader("here", "header");
            call.setTrailer("there-bin", bytes);
            return "";
          },
          async *serverStream(_, call) {
            call.setHeader("here", "header");
            yield "";
            call.setTrailer("there-bin", bytes);
          },
          async *bidiStream(_, call) {
            call.setHeader("here", "header");
            yield "";
            call.setTrailer("there-bin", bytes);
          },
        });
        const seen: Record<string, Metadata> = {};
        await onceEach(client)[kind]({
          onHeaders: (headers) => (seen["headers"] = headers),
          onTrailers: (trailers) => (seen["trailers"] = trailers),
        });
        assert.equal(seen["headers"]?.get("here"), "header");
        assert.deepEqual(seen["trailers"]?.getBinary("there-bin"), bytes);
      },
    }),
  ),
  {
    name: "trace context arrives, and one trace holds both sides",
    async run(context) {
      const quiet = new Writable({ write: (_chunk, _encoding, done) => done() });
      await using telemetry = startTelemetry({ service: "conformance", destination: quiet });
      const ids = new Moment<{ traceId?: string; spanId?: string; parent: string | undefined }>();
      const { client } = await context.open(
        {
          async unary(_, call) {
            ids.reach({ ...telemetry.tracer.current(), parent: call.metadata.get("traceparent") });
            return "";
          },
        },
        { telemetry },
      );
      await telemetry.tracer.span("caller", {}, async (caller) => {
        await client.unary("");
        const { traceId, spanId, parent = "" } = await ids.reached;
        assert.equal(traceId, caller.traceId);
        assert.match(parent, new RegExp(`^00-${caller.traceId}-[0-9a-f]{16}-0[01]$`));
        const parentId = parent.split("-")[2];
        assert.equal(new Set([spanId, parentId, caller.spanId]).size, 3, "each side has a span of its own");
      });
    },
  },
  {
    name: "each of many concurrent calls on one channel gets its own response",
    async run(context) {
      const { client } = await context.open();
      const want = Array.from({ length: 500 }, (_, index) => `${index}`);
      assert.deepEqual(await Promise.all(want.map((text) => client.unary(text))), want);
    },
  },
  {
    name: "a channel reconnects after its server has restarted",
    async run(context) {
      const first = await context.open();
      assert.equal(await first.client.unary("a"), "a");
      await first.server.drain();
      await context.serve({}, { port: first.server.port });
      await first.channel.ready({ signal: AbortSignal.timeout(10_000) });
      assert.equal(await first.client.unary("b"), "b");
    },
  },
  {
    name: "waiting for a server that is down ends with the signal",
    async run(context) {
      const server = await context.serve();
      await server.drain();
      const channel = await context.connect(server.port);
      await assert.rejects(channel.ready({ signal: AbortSignal.timeout(50) }), { name: "TimeoutError" });
    },
  },
];

async function* streamOf(...values: string[]): AsyncGenerator<string> {
  yield* values;
}
