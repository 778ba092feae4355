import assert from "node:assert/strict";
import { gzipSync } from "node:zlib";
import { type Case, kinds, onceEach } from "./test-context.ts";
import { answering, framed, raw, send } from "./wire.ts";

const gzip = { "grpc-encoding": "gzip" };
const methods = ["Unary", "ClientStream", "ServerStream", "BidiStream"];

const compressed = (content: string | Buffer) => framed(gzipSync(content), 1);
/** Four times what all calls of a case may inflate together before they are refused. */
const bombBytes = 256 * 2 ** 20;
/** A message of `bombBytes` zeros that arrives as 255 KiB. */
const bomb = compressed(Buffer.alloc(bombBytes));
const cut = framed(gzipSync("abc".repeat(1_000)).subarray(0, -12), 1);
const garbage = framed("abcdefghijklmnop", 1);

/** Returns the most bytes outside V8's heap that the process had while `work` ran. */
async function mostBytesDuring(work: () => Promise<void>): Promise<number> {
  const before = process.memoryUsage().arrayBuffers;
  let most = 0;
  const timer = setInterval(() => (most = Math.max(most, process.memoryUsage().arrayBuffers - before)), 1);
  try {
    await work();
  } finally {
    clearInterval(timer);
  }
  return most;
}

/** Messages that other programs compress, and those that only attackers send. */
export const compressionCases: readonly Case[] = [
  {
    name: "requests compressed by gzip are read, whole or in parts, between others that are not",
    async run(context) {
      const session = await raw(context);
      for (const method of methods) {
        const answer = await send(session, method, compressed("abc"), gzip);
        assert.deepEqual([answer["grpc-status"], answer.body], ["0", `${framed("abc")}`], method);
        const plain = await send(session, method, framed("abc"), gzip);
        assert.deepEqual([plain["grpc-status"], plain.body], ["0", `${framed("abc")}`], method);
      }
      // Random letters: the compressed message is as large as several frames.
      const large = Buffer.from(crypto.getRandomValues(new Uint8Array(60_000))).toString("hex");
      const parts = [compressed("a"), framed("b"), compressed(large), compressed("c")];
      const streamed = await send(session, "BidiStream", Buffer.concat(parts), gzip);
      const want = ["a", "b", large, "c"].map((text) => framed(text));
      assert.deepEqual([streamed["grpc-status"], streamed.body === `${Buffer.concat(want)}`], ["0", true]);
    },
  },
  {
    name: "a request that inflates above the limit is resource_exhausted, and never held whole",
    async run(context) {
      let calls = 0;
      const session = await raw(context, { unary: async () => `${calls++}` });
      const most = await mostBytesDuring(async () => {
        for (const method of methods) {
          const answers = await Promise.all(Array.from({ length: 4 }, () => send(session, method, bomb, gzip)));
          assert.deepEqual(
            answers.map((answer) => answer["grpc-status"]),
            ["8", "8", "8", "8"],
            method,
          );
        }
      });
      assert.equal(calls, 0);
      assert.ok(most < bombBytes, `${Math.round(most / 2 ** 20)} MiB`);
      assert.equal((await send(session, "ServerStream", compressed("abc"), gzip))["grpc-status"], "0");
    },
  },
  {
    name: "a request that is no gzip, or half of it, is internal and reaches no handler",
    async run(context) {
      let calls = 0;
      const session = await raw(context, { unary: async () => `${calls++}` });
      for (const method of methods) {
        for (const body of [cut, garbage]) {
          assert.equal((await send(session, method, body, gzip))["grpc-status"], "13", method);
        }
      }
      assert.equal(calls, 0);
    },
  },
  {
    name: "a request in another encoding is unimplemented, and the answer names those that are read",
    async run(context) {
      const session = await raw(context);
      for (const method of methods) {
        const answer = await send(session, method, framed("abc", 1), { "grpc-encoding": "snappy" });
        assert.equal(answer["grpc-status"], "12", method);
        const accepted = String(answer["grpc-accept-encoding"]).split(",");
        assert.ok(accepted.includes("identity") && accepted.includes("gzip"), accepted.join());
      }
    },
  },
  {
    name: "answers compressed by gzip are read by clients, which say that they can",
    async run(context) {
      const accepted: unknown[] = [];
      const answer = answering(compressed("abc"), gzip);
      const port = await context.rawServer((stream, headers) => {
        accepted.push(headers["grpc-accept-encoding"]);
        answer(stream);
      });
      const client = context.client(await context.connect(port));
      for (const kind of kinds) assert.deepEqual([await onceEach(client)[kind]()].flat(), ["abc"], kind);
      for (const one of accepted) assert.ok(String(one).split(",").includes("gzip"), String(one));
    },
  },
  {
    name: "an answer that inflates above the limit is resource_exhausted, and never held whole",
    async run(context) {
      const port = await context.rawServer(answering(bomb, gzip));
      const client = context.client(await context.connect(port));
      const most = await mostBytesDuring(async () => {
        for (const kind of kinds) await assert.rejects(onceEach(client)[kind](), { code: "resource_exhausted" }, kind);
      });
      assert.ok(most < bombBytes, `${Math.round(most / 2 ** 20)} MiB`);
    },
  },
  ...Object.entries({ "no gzip": { body: garbage, headers: gzip }, "half of it": { body: cut, headers: gzip } }).map(
    ([name, { body, headers }]): Case => ({
      name: `an answer that is ${name} is internal`,
      async run(context) {
        const port = await context.rawServer(answering(body, headers));
        const client = context.client(await context.connect(port));
        for (const kind of kinds) await assert.rejects(onceEach(client)[kind](), { code: "internal" }, kind);
      },
    }),
  ),
  {
    name: "an answer in an unknown encoding is internal",
    async run(context) {
      const port = await context.rawServer(answering(framed("abc", 1), { "grpc-encoding": "snappy" }));
      const client = context.client(await context.connect(port));
      for (const kind of kinds) await assert.rejects(onceEach(client)[kind](), { code: "internal" }, kind);
    },
  },
];
