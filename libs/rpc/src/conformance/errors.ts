import assert from "node:assert/strict";
import { codeOf, codes, isServiceError, ServiceError } from "@plumbline/errors";
import type { Metadata } from "../metadata.ts";
import { type Case, kinds, Moment, onceEach, rejection } from "./test-context.ts";

/** Returns handlers that throw the result of `error`. */
function failing(error: () => unknown) {
  async function fail(): Promise<never> {
    throw error();
  }
  async function* failStream(): AsyncGenerator<string> {
    yield await fail();
  }
  return { unary: fail, clientStream: fail, serverStream: failStream, bidiStream: failStream };
}

async function* one(): AsyncGenerator<string> {
  yield "one";
}

export const errorCases: readonly Case[] = [
  {
    name: "every code arrives, with its message",
    async run(context) {
      const { client } = await context.open({
        unary: async (code) => {
          throw new ServiceError(code as (typeof codes)[number], `why: ${code}`);
        },
      });
      for (const code of codes) await assert.rejects(client.unary(code), { code, message: `why: ${code}` });
    },
  },
  ...kinds.map(
    (kind): Case => ({
      name: `the details of an error of ${kind} arrive`,
      async run(context) {
        const violations = [
          { field: "items[0].sku", description: "unknown" },
          { field: "customer_id", description: "zu kurz — 短すぎる" },
        ];
        const sent = new ServiceError("invalid_argument", "50 % of the fields: ungültig\n(2)", {
          reason: "FIELDS",
          violations,
          retryAfterMs: 1_250,
        });
        const { client } = await context.open(failing(() => sent));
        const got = await rejection(onceEach(client)[kind]());
        assert.ok(isServiceError(got));
        const { code, message, reason, retryAfterMs } = got;
        assert.deepEqual(
          { code, message, reason, retryAfterMs },
          { code: sent.code, message: sent.message, reason: "FIELDS", retryAfterMs: 1_250 },
        );
        assert.deepEqual(got.violations, violations);
      },
    }),
  ),
  {
    name: "details of types that this library does not know arrive as they are, up to 2 KiB",
    async run(context) {
      const detail = { typeUrl: "type.googleapis.com/shop.v1.OutOfStock", value: Uint8Array.of(8, 7) };
      const large = { typeUrl: "type.googleapis.com/shop.v1.Large", value: new Uint8Array(3_000) };
      const sent = new ServiceError("failed_precondition", "sold out", { reason: "SOLD", details: [detail, large] });
      const { client } = await context.open(failing(() => sent));
      const got = await rejection(client.unary(""));
      assert.ok(isServiceError(got));
      assert.deepEqual([got.reason, got.details?.length, got.details?.[0]?.typeUrl], ["SOLD", 1, detail.typeUrl]);
      assert.deepEqual(new Uint8Array(got.details?.[0]?.value ?? []), detail.value);
    },
  },
  ...kinds.map(
    (kind): Case => ({
      name: `an error without a code reaches the caller of ${kind} as a bare internal`,
      async run(context) {
        const { client } = await context.open(failing(() => new Error("password=hunter2 at /srv/orders.ts")));
        await assert.rejects(onceEach(client)[kind](), { code: "internal", message: "internal" });
      },
    }),
  ),
  {
    name: "an error after some messages arrives after those messages",
    async run(context) {
      const { client } = await context.open({
        async *serverStream() {
          yield "a";
          yield "b";
          throw new ServiceError("aborted", "then no more");
        },
      });
      const got: string[] = [];
      const error = await rejection(
        (async () => {
          for await (const message of client.serverStream("")) got.push(message);
        })(),
      );
      assert.equal(codeOf(error), "aborted");
      assert.deepEqual(got, ["a", "b"]);
    },
  },
  {
    name: "messages that are read late arrive before the error behind them",
    async run(context) {
      const { client } = await context.open({
        async *serverStream() {
          for (let i = 0; i < 20; i++) yield `${i}`;
          throw new ServiceError("data_loss", "the rest is gone");
        },
        async *bidiStream() {
          for (let i = 0; i < 20; i++) yield "x".repeat(10_000);
          throw new ServiceError("data_loss", "the rest is gone");
        },
      });
      for (const messages of [() => client.serverStream("all"), () => client.bidiStream(one())]) {
        let count = 0;
        const reading = (async () => {
          for await (const _ of messages()) {
            count++;
            // Time for everything to arrive. The case holds without it too.
            if (count <= 2) await new Promise((resolve) => setTimeout(resolve, 50));
          }
        })();
        await assert.rejects(reading, { code: "data_loss", message: "the rest is gone" });
        assert.equal(count, 20);
      }
    },
  },
  {
    name: "a caller that leaves before an error that waits behind messages gets no more of them",
    async run(context) {
      const { client } = await context.open({
        async *serverStream() {
          for (let i = 0; i < 20; i++) yield `${i}`;
          throw new ServiceError("data_loss", "the rest is gone");
        },
      });
      for await (const _ of client.serverStream("all")) {
        await new Promise((resolve) => setTimeout(resolve, 50));
        break;
      }
      const controller = new AbortController();
      const reading = (async () => {
        for await (const _ of client.serverStream("all", { signal: controller.signal })) {
          await new Promise((resolve) => setTimeout(resolve, 50));
          controller.abort(new Error("gone"));
        }
      })();
      await assert.rejects(reading);
    },
  },
  {
    name: "an error carries trailers too",
    async run(context) {
      const { client } = await context.open({
        unary: async (_, call) => {
          call.setTrailer("hint", "later");
          throw new ServiceError("unavailable", "down");
        },
      });
      let trailers: Metadata | undefined;
      await assert.rejects(client.unary("", { onTrailers: (got) => (trailers = got) }), { code: "unavailable" });
      assert.equal(trailers?.get("hint"), "later");
    },
  },
  {
    name: "a message or violations too large for trailers are cut, and the code still arrives",
    async run(context) {
      const many = Array.from({ length: 500 }, (_, index) => ({
        field: `items[${index}].sku`,
        description: "unknown",
      }));
      const { client } = await context.open({
        unary: () =>
          Promise.reject(new ServiceError("invalid_argument", "é\ud800".repeat(5_000), { violations: many })),
      });
      const error = await rejection(client.unary(""));
      assert.ok(isServiceError(error));
      assert.equal(error.code, "invalid_argument");
      assert.equal(Buffer.byteLength(error.message), 1_022); // Not in the middle of a character.
      assert.ok(error.violations.length > 50 && error.violations.length < 500, `${error.violations.length}`);
      assert.deepEqual(error.violations[0], many[0]);
    },
  },
  {
    name: "an unknown method is unimplemented",
    async run(context) {
      const { channel } = await context.open();
      for (const path of ["/plumbline.rpc.Conformance/Nothing", "/plumbline.rpc.Unknown/Unary"]) {
        await assert.rejects(channel.unary(path, new Uint8Array()), { code: "unimplemented" });
        await assert.rejects(Array.fromAsync(channel.serverStream(path, new Uint8Array())), { code: "unimplemented" });
      }
    },
  },
  {
    name: "a method with one request rejects zero and two",
    async run(context) {
      const { channel } = await context.open();
      async function* requests(count: number): AsyncGenerator<Uint8Array> {
        for (let sent = 0; sent < count; sent++) yield new Uint8Array();
      }
      for (const count of [0, 2]) {
        const stream = channel.bidiStream("/plumbline.rpc.Conformance/ServerStream", requests(count));
        await assert.rejects(Array.fromAsync(stream), { code: "unimplemented" });
      }
    },
  },
  {
    name: "metadata that gRPC cannot carry is rejected before anything is sent",
    async run(context) {
      let calls = 0;
      const { client } = await context.open({ unary: async () => `${calls++}` });
      for (const metadata of [
        { "grpc-timeout": "1S" },
        { "": "x" },
        { "no spaces": "x" },
        { text: "ü" },
        { text: "a\r\nb: c" },
        { "bytes-bin": "text" },
        { text: new Uint8Array(1) },
      ] as Record<string, string>[]) {
        await assert.rejects(client.unary("", { metadata }), { code: "invalid_argument" });
      }
      assert.equal(calls, 0);
    },
  },
  {
    name: "a server that is down is unavailable",
    async run(context) {
      const server = await context.serve();
      await server.drain();
      const channel = await context.connect(server.port);
      await assert.rejects(channel.unary("/plumbline.rpc.Conformance/Unary", new Uint8Array()), {
        code: "unavailable",
      });
    },
  },
  {
    name: "a closed channel rejects new calls and ends those in flight",
    async run(context) {
      const begun = new Moment();
      const { client, channel } = await context.open(
        {
          unary: () => {
            begun.reach();
            return new Promise(() => {});
          },
        },
        { server: { graceMs: 1 } },
      );
      const running = rejection(client.unary(""));
      await begun.reached;
      await channel[Symbol.asyncDispose]();
      assert.equal(codeOf(await running), "cancelled");
      await assert.rejects(client.unary(""), { code: "unavailable" });
    },
  },
];
