import assert from "node:assert/strict";
import { ServiceError } from "@plumbline/errors";
import { type Case, Moment } from "./test-context.ts";

const unavailable = (retryAfterMs?: number): ServiceError =>
  new ServiceError("unavailable", "not now", { retryAfterMs });
const again = (baseMs = 1, attempts = 3) => ({
  retry: { methods: ["unary"], attempts, baseMs, maxMs: baseMs } as const,
});

export const retryCases: readonly Case[] = [
  {
    name: "a server reads the number of earlier attempts",
    async run(context) {
      const seen: (string | undefined)[] = [];
      const { client } = await context.open(
        {
          unary: async (request, { metadata }) => {
            seen.push(metadata.get("grpc-previous-rpc-attempts"));
            if (seen.length < 3) throw unavailable();
            return request;
          },
        },
        { client: again() },
      );
      assert.equal(await client.unary("a"), "a");
      assert.deepEqual(seen, [undefined, "1", "2"]);
    },
  },
  {
    name: "a retry waits for the server's pushback, no less and no more",
    async run(context) {
      const at: number[] = [];
      let waitMs = 150;
      const { channel } = await context.open({
        unary: async (request) => {
          at.push(performance.now());
          if (at.length % 2 === 1) throw unavailable(waitMs);
          return request;
        },
      });
      await context.client(channel, again()).unary("");
      assert.ok(at[1]! - at[0]! >= 145, `${at[1]! - at[0]!} ms`);
      waitMs = 1;
      // Its own backoff would probably exceed the deadline, and it would not retry.
      const late = context.client(channel, again(600_000));
      for (let calls = 0; calls < 3; calls++) await late.unary("", { timeoutMs: 5_000 });
      assert.equal(at.length, 8);
    },
  },
  {
    name: "a full server sends a pushback, and a client that waits for it is served",
    async run(context) {
      const full = new Moment();
      const room = new Moment();
      const { client } = await context.open(
        {
          unary: async (request) => {
            full.reach();
            await room.reached;
            return request;
          },
        },
        { server: { maxConcurrent: 1 }, client: again() },
      );
      const taken = client.unary("a");
      await full.reached;
      let pushback: string | undefined;
      const refused = client.unary("b", {
        onTrailers: (trailers) => (pushback = trailers.get("grpc-retry-pushback-ms")),
      });
      await assert.rejects(refused, { code: "unavailable", retryAfterMs: 100 });
      assert.equal(pushback, "100");
      const retried = client.unary("c");
      room.reach();
      assert.deepEqual(await Promise.all([taken, retried]), ["a", "c"]);
    },
  },
  {
    name: "clients of one channel stop retrying while too many calls fail, and resume when enough succeed",
    async run(context) {
      let calls = 0;
      let isUp = false;
      const { channel } = await context.open(
        {
          unary: async (request) => {
            calls++;
            if (!isUp) throw unavailable();
            return request;
          },
        },
        { channel: { retryThrottling: { maxTokens: 4, tokenRatio: 1 } } },
      );
      const [one, two] = [context.client(channel, again(1, 5)), context.client(channel, again(1, 5))];
      const made = async (client: typeof one): Promise<number> => {
        const before = calls;
        await client.unary("").catch(() => {});
        return calls - before;
      };
      assert.equal(await made(one), 2); // Two tokens are left, which is half of them.
      assert.equal(await made(two), 1); // One is left.
      isUp = true;
      for (let call = 0; call < 3; call++) assert.equal(await made(two), 1);
      isUp = false;
      assert.equal(await made(one), 2);
    },
  },
  {
    name: "streams, and methods without retries, count for the throttle too",
    async run(context) {
      let calls = 0;
      const { channel } = await context.open(
        {
          unary: async () => {
            calls++;
            throw unavailable();
          },
          async *serverStream() {
            yield await Promise.reject(unavailable());
          },
        },
        { channel: { retryThrottling: { maxTokens: 6, tokenRatio: 1 } } },
      );
      const never = context.client(channel);
      await assert.rejects(never.unary(""), { code: "unavailable" });
      await assert.rejects(Array.fromAsync(never.serverStream("")), { code: "unavailable" });
      calls = 0;
      await assert.rejects(context.client(channel, again()).unary(""), { code: "unavailable" });
      assert.equal(calls, 1);
    },
  },
  {
    name: "a caller gets the trailers of the last attempt only",
    async run(context) {
      let calls = 0;
      const { client } = await context.open(
        {
          unary: async (request, call) => {
            call.setTrailer("attempt", `${++calls}`);
            if (calls < 3) throw unavailable();
            return request;
          },
        },
        { client: again() },
      );
      const heard: (string | undefined)[] = [];
      await client.unary("", { onTrailers: (trailers) => heard.push(trailers.get("attempt")) });
      assert.deepEqual(heard, ["3"]);
    },
  },
];
