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
