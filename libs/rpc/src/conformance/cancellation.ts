import assert from "node:assert/strict";
import { deadline, deadlineOf, steadyNow } from "@plumbline/concurrency";
import { codeOf } from "@plumbline/errors";
import { earlyMs } from "../deadline.ts";
import {
  type Case,
  type ConformanceHandlers,
  kinds,
  Moment,
  onceEach,
  rejection,
  untilAborted,
} from "./test-context.ts";

/** Returns handlers that report their begin, wait for their signal, and report its reason. */
function waiting() {
  const begun = new Moment<{ deadline: number | undefined }>();
  const aborted = new Moment<unknown>();
  async function wait(call: Parameters<ConformanceHandlers["unary"]>[1]): Promise<never> {
    begun.reach({ deadline: deadlineOf(call.signal) });
    try {
      return await untilAborted(call);
    } catch (reason) {
      aborted.reach(reason);
      throw reason;
    }
  }
  const handlers: ConformanceHandlers = {
    unary: (_, call) => wait(call),
    clientStream: (_, call) => wait(call),
    async *serverStream(_, call) {
      yield "first";
      await wait(call);
    },
    async *bidiStream(_, call) {
      yield "first";
      await wait(call);
    },
  };
  return { handlers, begun, aborted };
}

export const cancellationCases: readonly Case[] = [
  ...kinds.flatMap((kind): Case[] => [
    {
      name: `past its deadline ${kind} fails, and the handler's signal aborts`,
      async run(context) {
        const { handlers, begun, aborted } = waiting();
        const { client, channel } = await context.open(handlers);
        // Connecting is not part of the call's time: on a busy machine it would take all of it.
        await channel.ready({ signal: AbortSignal.timeout(10_000) });
        const start = Date.now();
        const error = await rejection(onceEach(client)[kind]({ timeoutMs: 150 }));
        assert.equal(codeOf(error), "deadline_exceeded");
        assert.ok(Date.now() - start >= 130, "not before its time");
        const known = (await begun.reached).deadline ?? 0;
        assert.ok(Math.abs(known - (start + 150)) < 100, "the handler knows the deadline");
        const code = codeOf(await aborted.reached);
        // A request that arrives late on a busy machine has a later deadline in the server, by more
        // than the lead that counts as the deadline. The client's cancel is then just a cancel.
        const arrivedLate = known - (start + 150) > earlyMs;
        assert.ok(code === "deadline_exceeded" || (arrivedLate && code === "cancelled"), code);
      },
    },
    {
      name: `cancelled by its caller ${kind} rejects with the reason, and the handler's signal aborts`,
      async run(context) {
        const { handlers, begun, aborted } = waiting();
        const { client } = await context.open(handlers);
        const controller = new AbortController();
        const error = rejection(onceEach(client)[kind]({ signal: controller.signal }));
        await begun.reached;
        const reason = new Error("the user closed the window");
        controller.abort(reason);
        assert.equal(await error, reason);
        assert.equal(codeOf(await aborted.reached), "cancelled");
      },
    },
    {
      name: `with an aborted signal ${kind} is not sent`,
      async run(context) {
        const { handlers, begun } = waiting();
        const { client } = await context.open({ ...handlers, unary: async () => "the next call" });
        const reason = new Error("too late");
        assert.equal(await rejection(onceEach(client)[kind]({ signal: AbortSignal.abort(reason) })), reason);
        await client.unary("");
        assert.equal(await Promise.race([begun.reached, Promise.resolve("not begun")]), "not begun");
      },
    },
  ]),
  {
    name: "the nearest deadline counts: of the signal, or of the call",
    async run(context) {
      const { client } = await context.open({ unary: async (_, { signal }) => `${deadlineOf(signal)}` });
      using near = deadline(1_000);
      using far = deadline(60_000);
      const left = async (signal: AbortSignal, timeoutMs: number) =>
        Number(await client.unary("", { signal, timeoutMs })) - steadyNow();
      for (const [signal, timeoutMs] of [
        [near.signal, 60_000],
        [far.signal, 1_000],
        [near.signal, Number.POSITIVE_INFINITY],
      ] as const) {
        const ms = await left(signal, timeoutMs);
        assert.ok(ms > 500 && ms <= 1_000, `${ms}`);
      }
    },
  },
  {
    name: "a call that sets no deadline has the channel's",
    async run(context) {
      const { client } = await context.open(
        { unary: async (_, { signal }) => `${deadlineOf(signal)}` },
        { channel: { timeoutMs: 5_000 } },
      );
      const ms = Number(await client.unary("")) - steadyNow();
      assert.ok(ms > 4_000 && ms <= 5_000, `${ms}`);
    },
  },
  {
    name: "a call whose deadline has passed is not sent",
    async run(context) {
      let calls = 0;
      const { client } = await context.open({ unary: async () => `${calls++}` });
      assert.equal(codeOf(await rejection(client.unary("", { timeoutMs: 0 }))), "deadline_exceeded");
      assert.equal(codeOf(await rejection(client.unary("", { timeoutMs: -1_000 }))), "deadline_exceeded");
      await client.unary("");
      assert.equal(calls, 1);
    },
  },
  {
    name: "a reader that leaves a stream cancels it, and the handler's generator is closed",
    async run(context) {
      const closed = new Moment<unknown>();
      const { client } = await context.open({
        async *serverStream(_, { signal }) {
          try {
            for (let count = 0; ; count++) yield `${count}`;
          } finally {
            closed.reach(signal.reason);
          }
        },
      });
      for await (const message of client.serverStream("")) if (message === "3") break;
      assert.equal(codeOf(await closed.reached), "cancelled");
    },
  },
  {
    name: "an error in the requests fails the call with that error, and cancels it",
    async run(context) {
      const { handlers, aborted, begun } = waiting();
      const { client } = await context.open(handlers);
      const broken = new Error("the file is gone");
      async function* requests(): AsyncGenerator<string> {
        yield "a";
        await begun.reached;
        throw broken;
      }
      assert.equal(await rejection(client.clientStream(requests())), broken);
      assert.equal(codeOf(await aborted.reached), "cancelled");
    },
  },
  {
    name: "a lost client fails the requests of its stream, which never just end",
    async run(context) {
      const failed = new Moment<unknown>();
      const begun = new Moment();
      const { client } = await context.open({
        async clientStream(requests) {
          try {
            for await (const _ of requests) begun.reach();
            failed.reach("they ended");
          } catch (error) {
            failed.reach(error);
          }
          return "";
        },
      });
      const controller = new AbortController();
      async function* requests(): AsyncGenerator<string> {
        yield "a";
        await new Promise(() => {});
      }
      const error = rejection(client.clientStream(requests(), { signal: controller.signal }));
      await begun.reached;
      controller.abort();
      assert.equal(codeOf(await error), "cancelled");
      assert.equal(codeOf(await failed.reached), "cancelled");
    },
  },
];
