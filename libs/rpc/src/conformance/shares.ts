import assert from "node:assert/strict";
import type { MetadataInit } from "../metadata.ts";
import { shareKeyName } from "../shares/share-keys.ts";
import { type Case, kinds, onceEach } from "./test-context.ts";

const named = { [shareKeyName]: "192.0.2.1" };

export const shareCases: readonly Case[] = [
  {
    name: "the client that a trusted peer names has the share of each kind of call",
    run: async (context) => {
      const seen: string[] = [];
      const { client } = await context.open({
        unary: async (_request, call) => String(seen.push(call.shareKey)),
        clientStream: async (_requests, call) => String(seen.push(call.shareKey)),
        async *serverStream(_request, call) {
          yield String(seen.push(call.shareKey));
        },
        async *bidiStream(_requests, call) {
          yield String(seen.push(call.shareKey));
        },
      });
      const each = onceEach(client);
      for (const kind of kinds) await each[kind]({ metadata: named });
      assert.deepEqual(seen, ["192.0.2.1", "192.0.2.1", "192.0.2.1", "192.0.2.1"]);
    },
  },
  {
    name: "calls in flight of one client leave places to others",
    run: async (context) => {
      const end = Promise.withResolvers<string>();
      const seen = { begun: 0 };
      const { client } = await context.open(
        {
          unary: async (request) => (request === "held" ? (seen.begun++, await end.promise) : request),
          async *serverStream(request) {
            seen.begun++;
            yield request;
            await end.promise;
          },
        },
        { server: { maxConcurrentPerClient: 2, maxStreamsPerClient: 1 } },
      );
      const calls = [1, 2].map(() => client.unary("held", { metadata: named }));
      const stream = client.serverStream("held", { metadata: named })[Symbol.asyncIterator]();
      await stream.next();
      while (seen.begun < 3) await new Promise((resolve) => setTimeout(resolve, 1));
      await assert.rejects(client.unary("a", { metadata: named }), { code: "resource_exhausted" });
      await assert.rejects(Array.fromAsync(client.serverStream("a", { metadata: named })), {
        code: "resource_exhausted",
      });
      assert.equal(await client.unary("b", { metadata: { [shareKeyName]: "192.0.2.2" } }), "b");
      // A trusted peer that names no client may take the whole.
      const own = [1, 2, 3].map(() => client.unary("held"));
      while (seen.begun < 6) await new Promise((resolve) => setTimeout(resolve, 1));
      end.resolve("end");
      assert.deepEqual(await Promise.all([...calls, ...own]), ["end", "end", "end", "end", "end"]);
      assert.equal((await stream.next()).done, true);
      assert.equal(await client.unary("a", { metadata: named }), "a");
    },
  },
  {
    name: "a peer that is not trusted has the share of its address, whatever it names",
    run: async (context) => {
      const { client } = await context.open(
        { unary: async (_request, call) => call.shareKey },
        { server: { trustedPeers: "192.0.2.0/24" } },
      );
      assert.equal(await client.unary("", { metadata: named }), "127.0.0.1");
      assert.equal(await client.unary(""), "127.0.0.1");
    },
  },
  {
    name: "a trusted peer that sends no key, or an invalid one, has the share of its address",
    run: async (context) => {
      const { client } = await context.open({ unary: async (_request, call) => call.shareKey });
      const wrong: MetadataInit[] = ["", "a b", "1".repeat(46), "a, b"].map((key) => ({ [shareKeyName]: key }));
      for (const metadata of [{}, ...wrong]) assert.equal(await client.unary("", { metadata }), "127.0.0.1");
      const longest = "1".repeat(45);
      assert.equal(await client.unary("", { metadata: { [shareKeyName]: longest } }), longest);
    },
  },
];
