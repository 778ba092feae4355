import assert from "node:assert/strict";
import { codeOf } from "@plumbline/errors";
import { type Case, Moment, onceEach, rejection, untilAborted } from "./test-context.ts";

export const drainCases: readonly Case[] = [
  {
    name: "a draining server answers the unary calls it has accepted",
    async run(context) {
      const begun = new Moment();
      const go = new Moment();
      const { client, server } = await context.open({
        unary: async (request, { signal, drain }) => {
          begun.reach();
          await go.reached;
          return `${request} ${signal.aborted} ${drain.aborted}`;
        },
      });
      const answer = client.unary("aborted, draining:");
      await begun.reached;
      const drained = server.drain();
      go.reach();
      assert.equal(await answer, "aborted, draining: false true");
      await drained;
    },
  },
  ...(["clientStream", "serverStream", "bidiStream"] as const).map(
    (kind): Case => ({
      name: `a draining server ends ${kind} at once as unavailable`,
      async run(context) {
        const begun = new Moment();
        const { client, server } = await context.open(
          {
            async clientStream(_, call) {
              begun.reach();
              return untilAborted(call);
            },
            async *serverStream(_, call) {
              yield "first";
              begun.reach();
              await untilAborted(call);
            },
            async *bidiStream(_, call) {
              yield "first";
              begun.reach();
              await untilAborted(call);
            },
          },
          { server: { graceMs: 60_000 } },
        );
        const error = rejection(onceEach(client)[kind]());
        await begun.reached;
        const drained = server.drain();
        assert.equal(codeOf(await error), "unavailable");
        await drained;
      },
    }),
  ),
  {
    name: "a stream ends for its client even if its handler ignores the signal",
    async run(context) {
      const begun = new Moment();
      const { client, server } = await context.open(
        {
          async *serverStream() {
            yield "first";
            begun.reach();
            await new Promise(() => {});
          },
        },
        { server: { graceMs: 100 } },
      );
      const error = rejection(Array.fromAsync(client.serverStream("")));
      await begun.reached;
      const drained = server.drain();
      assert.equal(codeOf(await error), "unavailable");
      await drained;
    },
  },
  {
    name: "draining waits for handlers to return, also those of ended streams",
    async run(context) {
      const begun = new Moment();
      const ended = new Moment();
      let released = false;
      const { client, server } = await context.open({
        async *serverStream(_, call) {
          yield "first";
          begun.reach();
          await untilAborted(call).catch(() => {});
          ended.reach();
          await new Promise((resolve) => setTimeout(resolve, 50)); // A cleanup, such as releasing a connection.
          released = true;
        },
      });
      const error = rejection(Array.fromAsync(client.serverStream("")));
      await begun.reached;
      const drained = server.drain();
      await error;
      await ended.reached;
      await drained;
      assert.ok(released);
    },
  },
  {
    name: "after the grace the remaining calls are aborted, answered and cut",
    async run(context) {
      const begun = new Moment();
      const aborted = new Moment<unknown>();
      const { client, server } = await context.open(
        {
          unary: async (_, call) => {
            begun.reach();
            return untilAborted(call).catch((reason) => {
              aborted.reach(reason);
              throw reason;
            });
          },
        },
        { server: { graceMs: 100 } },
      );
      const error = rejection(client.unary(""));
      await begun.reached;
      await server.drain();
      assert.equal(codeOf(await error), "unavailable");
      assert.equal(codeOf(await aborted.reached), "unavailable");
    },
  },
  {
    name: "a drained server takes no calls, and draining twice has no further effect",
    async run(context) {
      const { client, server } = await context.open();
      await client.unary("");
      await Promise.all([server.drain(), server.drain()]);
      await server.drain();
      await assert.rejects(client.unary(""), { code: "unavailable" });
    },
  },
  {
    name: "when a server drains under load, every call is either answered or never began",
    async run(context) {
      let begun = 0;
      const { client, server } = await context.open({
        unary: async (request) => {
          begun++;
          await new Promise((resolve) => setTimeout(resolve, 5));
          return request;
        },
      });
      let answered = 0;
      const warm = new Moment();
      const errors = new Set<string>();
      const callers = Array.from({ length: 20 }, async () => {
        for (;;) {
          try {
            await client.unary("");
            if (++answered === 100) warm.reach();
          } catch (error) {
            errors.add(codeOf(error));
            return;
          }
        }
      });
      await warm.reached;
      await server.drain();
      await Promise.all(callers);
      assert.deepEqual([...errors], ["unavailable"]);
      assert.equal(begun, answered);
    },
  },
];
