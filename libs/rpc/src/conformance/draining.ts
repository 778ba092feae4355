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
      name: `a draining server ends ${kind} at once, to be tried elsewhere`,
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
    name: "a stream is ended for its client even when its handler does not listen",
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
    name: "draining waits for handlers to return, those of ended streams included",
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
          await new Promise((resolve) => setTimeout(resolve, 50)); // Gives back a connection, say.
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
    name: "when the grace is over what is left is aborted, answered and cut",
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
    name: "a drained server takes no calls, and draining twice is draining once",
    async run(context) {
      const { client, server } = await context.open();
      await client.unary("");
      await Promise.all([server.drain(), server.drain()]);
      await server.drain();
      await assert.rejects(client.unary(""), { code: "unavailable" });
    },
  },
  {
    name: "drained under load, every call is either answered or never began",
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
