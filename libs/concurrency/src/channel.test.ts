import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { test } from "node:test";
import { codeOf } from "@plumbline/errors";
import * as fc from "fast-check";
import { allEnd, pause, settle, ticks } from "../test/explore.ts";
import { stateOf } from "../test/helpers.ts";
import { Channel, ChannelClosedError } from "./channel.ts";

for (const capacity of [-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY]) {
  test(`a channel of capacity ${capacity} is refused`, () => assert.throws(() => new Channel(capacity), RangeError));
}

test("sends to a full channel wait, and a receive admits the longest waiting", async () => {
  const channel = new Channel<number>(2);
  await channel.send(1);
  await channel.send(2);
  const [third, fourth] = [channel.send(3), channel.send(4)];
  assert.equal(await stateOf(third), "pending");
  assert.deepEqual(await channel.receive(), { done: false, value: 1 });
  assert.equal(await stateOf(third), "resolved");
  assert.equal(await stateOf(fourth), "pending");
  assert.equal(channel.length, 2);
  for (const value of [2, 3, 4]) assert.deepEqual(await channel.receive(), { done: false, value });
  await fourth;
});

test("capacity 0 is a rendezvous: a send ends when its value is received", async () => {
  const channel = new Channel<string>(0);
  const sent = channel.send("hello");
  assert.equal(await stateOf(sent), "pending");
  assert.equal(channel.length, 0);
  assert.deepEqual(await channel.receive(), { done: false, value: "hello" });
  assert.equal(await stateOf(sent), "resolved");
});

test("waiting receivers get values in order", async () => {
  const channel = new Channel<string>(0);
  const [first, second] = [channel.receive(), channel.receive()];
  await channel.send("a");
  await channel.send("b");
  assert.deepEqual([(await first).value, (await second).value], ["a", "b"]);
});

test("closing refuses senders, also waiting ones, and accepted values can still be received", async () => {
  const channel = new Channel<number>(1);
  await channel.send(1);
  const waiting = channel.send(2);
  channel.close();
  for (const refused of [waiting, channel.send(3)]) {
    await assert.rejects(refused, (error: unknown) => {
      assert.ok(error instanceof ChannelClosedError);
      assert.deepEqual([codeOf(error), error.reason], ["failed_precondition", "CHANNEL_CLOSED"]);
      return true;
    });
  }
  assert.throws(() => channel.trySend(4), ChannelClosedError);
  assert.deepEqual(await channel.receive(), { done: false, value: 1 });
  assert.deepEqual(await channel.receive(), { done: true, value: undefined });
  assert.deepEqual(await channel.receive(), { done: true, value: undefined });
});

test("closing wakes every waiting receiver", async () => {
  const channel = new Channel<number>(1);
  const waiting = [channel.receive(), channel.receive()];
  channel.close();
  for (const received of await Promise.all(waiting)) assert.ok(received.done);
});

test("closing twice does nothing, so that an owner can close early and by `using`", () => {
  using channel = new Channel<number>(1);
  channel.close();
  channel.close();
  assert.ok(channel.closed);
});

test("undefined is a value like any other", async () => {
  const channel = new Channel<undefined>(1);
  await channel.send(undefined);
  assert.deepEqual(await channel.receive(), { done: false, value: undefined });
  const waiting = channel.receive();
  await channel.send(undefined);
  assert.deepEqual(await waiting, { done: false, value: undefined });
});

test("a cancelled sender's value is never received", async () => {
  const channel = new Channel<string>(0);
  const controller = new AbortController();
  const reason = new Error("gave up");
  const cancelled = assert.rejects(channel.send("lost", { signal: controller.signal }), reason);
  const next = channel.send("kept");
  controller.abort(reason);
  assert.deepEqual(await channel.receive(), { done: false, value: "kept" });
  await Promise.all([cancelled, next]);
});

test("a cancelled receiver takes no value", async () => {
  const channel = new Channel<string>(0);
  const controller = new AbortController();
  const reason = new Error("gave up");
  const cancelled = assert.rejects(channel.receive({ signal: controller.signal }), reason);
  const next = channel.receive();
  controller.abort(reason);
  await channel.send("kept");
  assert.deepEqual(await next, { done: false, value: "kept" });
  await cancelled;
});

test("an aborted signal neither sends nor receives, even without a wait", async () => {
  const channel = new Channel<number>(2);
  await channel.send(1);
  const signal = AbortSignal.abort();
  await assert.rejects(channel.send(2, { signal }), { name: "AbortError" });
  await assert.rejects(channel.receive({ signal }), { name: "AbortError" });
  assert.equal(channel.length, 1);
});

test("aborting after the hand-over loses no value", async () => {
  const channel = new Channel<string>(0);
  const controller = new AbortController();
  const received = channel.receive({ signal: controller.signal });
  await channel.send("kept");
  controller.abort();
  assert.deepEqual(await received, { done: false, value: "kept" });
});

test("iterating ends when the channel is closed and empty", async () => {
  const channel = new Channel<number>(3);
  for (const value of [1, 2, 3]) await channel.send(value);
  channel.close();
  assert.deepEqual(await Array.fromAsync(channel), [1, 2, 3]);
});

test("leaving the loop loses no value and does not close the channel", async () => {
  const channel = new Channel<number>(3);
  for (const value of [1, 2]) await channel.send(value);
  for await (const value of channel) {
    assert.equal(value, 1);
    break;
  }
  assert.ok(!channel.closed);
  assert.deepEqual(await channel.receive(), { done: false, value: 2 });
});

test("iterating rejects with the reason of an aborted signal", async () => {
  const channel = new Channel<number>(1);
  const controller = new AbortController();
  const reason = new Error("stop");
  const reading = Array.fromAsync(channel.values({ signal: controller.signal }));
  controller.abort(reason);
  await assert.rejects(reading, reason);
});

test("a send or receive that has ended leaves no listener on the signal", async () => {
  const channel = new Channel<number>(0);
  const { signal } = new AbortController();
  for (let value = 0; value < 100; value++) {
    await Promise.all([channel.receive({ signal }), channel.send(value, { signal })]);
  }
  assert.equal(getEventListeners(signal, "abort").length, 0);
});

test("a hundred thousand values keep their order", async () => {
  const channel = new Channel<number>(100_000);
  for (let value = 0; value < 100_000; value++) assert.ok(channel.trySend(value));
  assert.ok(!channel.trySend(-1));
  for (let value = 0; value < 100_000; value++) assert.equal(channel.tryReceive()?.value, value);
  assert.equal(channel.tryReceive(), undefined);
});

test("after any operations a channel agrees with a model of three lists", async () => {
  const step = fc.record({
    do: fc.constantFrom("send", "send", "receive", "receive", "trySend", "tryReceive", "abort", "close"),
    which: fc.nat(20),
  });
  await fc.assert(
    fc.asyncProperty(fc.nat(3), fc.array(step, { maxLength: 40 }), async (capacity, steps) => {
      const channel = new Channel<number>(capacity);
      const controllers: AbortController[] = [];
      const log: string[] = [];
      const expected: string[] = [];
      const model = {
        values: [] as number[],
        senders: [] as number[],
        receivers: [] as number[],
        closed: false,
        /** Receives from the model, or returns undefined if that would wait. */
        take(): string | undefined {
          const value = this.values.length > 0 ? this.values.shift() : this.senders[0];
          if (value === undefined) return this.closed ? "end" : undefined;
          const sender = this.senders.shift();
          if (sender !== undefined) {
            if (sender !== value) this.values.push(sender);
            expected.push(`${sender} accepted`);
          }
          return `${value}`;
        },
        /** Sends to the model. Returns false if that would wait. */
        put(id: number): boolean {
          const receiver = this.receivers.shift();
          if (receiver !== undefined) expected.push(`${receiver} got ${id}`);
          else if (this.values.length < capacity) this.values.push(id);
          else return false;
          return true;
        },
      };
      for (const [id, step] of steps.entries()) {
        const controller = new AbortController();
        controllers.push(controller);
        const { signal } = controller;
        switch (step.do) {
          case "send":
            channel.send(id, { signal }).then(
              () => log.push(`${id} accepted`),
              (error: unknown) => log.push(`${id} ${error instanceof ChannelClosedError ? "refused" : "aborted"}`),
            );
            if (model.closed) expected.push(`${id} refused`);
            else if (model.put(id)) expected.push(`${id} accepted`);
            else model.senders.push(id);
            break;
          case "receive": {
            channel.receive({ signal }).then(
              (received) => log.push(`${id} got ${received.done ? "end" : received.value}`),
              () => log.push(`${id} aborted`),
            );
            const taken = model.take();
            if (taken === undefined) model.receivers.push(id);
            else expected.push(`${id} got ${taken}`);
            break;
          }
          case "trySend":
            if (model.closed) assert.throws(() => channel.trySend(id), ChannelClosedError);
            else assert.equal(channel.trySend(id), model.put(id));
            break;
          case "tryReceive": {
            const received = channel.tryReceive();
            const taken = model.take();
            assert.equal(received && (received.done ? "end" : `${received.value}`), taken);
            break;
          }
          case "abort": {
            const victim = step.which % controllers.length;
            controllers[victim]?.abort();
            for (const line of [model.senders, model.receivers]) {
              const at = line.indexOf(victim);
              if (at === -1) continue;
              line.splice(at, 1);
              expected.push(`${victim} aborted`);
            }
            break;
          }
          case "close":
            channel.close();
            model.closed = true;
            for (const sender of model.senders.splice(0)) expected.push(`${sender} refused`);
            for (const receiver of model.receivers.splice(0)) expected.push(`${receiver} got end`);
            break;
        }
        assert.equal(channel.length, model.values.length);
        assert.equal(channel.closed, model.closed);
        await ticks(8);
        // Within one step the order in which waiters continue does not matter.
        assert.deepEqual(log.splice(0).sort(), expected.splice(0).sort());
      }
    }),
    { numRuns: 500 },
  );
});

test("in every schedule each accepted value is received once, in its sender's order, and all tasks end", async () => {
  const sender = fc.record({ values: fc.integer({ min: 1, max: 4 }), microtasks: fc.nat(4), aborts: fc.boolean() });
  const receiver = fc.record({ microtasks: fc.nat(4), aborts: fc.boolean() });
  await fc.assert(
    fc.asyncProperty(
      fc.scheduler(),
      fc.nat(3),
      fc.array(sender, { minLength: 1, maxLength: 4 }),
      fc.array(receiver, { minLength: 1, maxLength: 3 }),
      async (s, capacity, senders, receivers) => {
        const channel = new Channel<{ from: number; value: number }>(capacity);
        const accepted: string[] = [];
        const received: string[] = [];
        const abortLater = async (controller: AbortController, label: string): Promise<void> => {
          await pause(s, label);
          controller.abort();
        };
        const aborters: Promise<void>[] = [];
        const sending = senders.map(async ({ values, microtasks, aborts }, from) => {
          const controller = new AbortController();
          if (aborts) aborters.push(abortLater(controller, `sender ${from} aborts`));
          for (let value = 0; value < values; value++) {
            await pause(s, `${from} sends`, microtasks);
            try {
              await channel.send({ from, value }, { signal: controller.signal });
              accepted.push(`${from}:${value}`);
            } catch (error) {
              assert.equal(error, controller.signal.reason);
            }
            assert.ok(channel.length <= capacity, "more values are stored than allowed");
          }
        });
        const receiving = receivers.map(async ({ microtasks, aborts }, index) => {
          const last = new Map<number, number>();
          const controller = new AbortController();
          // The first receives to the end, so that the senders can end.
          if (aborts && index > 0) aborters.push(abortLater(controller, `receiver ${index} aborts`));
          try {
            for await (const { from, value } of channel.values({ signal: controller.signal })) {
              assert.ok(value > (last.get(from) ?? -1), "a sender was overtaken by itself");
              last.set(from, value);
              received.push(`${from}:${value}`);
              await pause(s, `${index} works`, microtasks);
            }
          } catch (error) {
            assert.equal(error, controller.signal.reason);
          }
        });
        const owner = async (): Promise<void> => {
          await Promise.all(sending);
          await pause(s, "the owner closes");
          channel.close();
        };
        await allEnd(s, [...sending, ...receiving, ...aborters, owner()]);
        assert.deepEqual(received.sort(), accepted.sort());
        assert.equal(channel.length, 0);
      },
    ),
    { numRuns: 500 },
  );
});

test("in every schedule closing during sends loses no accepted value and accepts no more", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.scheduler(),
      fc.nat(3),
      fc.integer({ min: 1, max: 5 }),
      fc.nat(4),
      async (s, capacity, count, microtasks) => {
        const channel = new Channel<number>(capacity);
        const accepted: number[] = [];
        const received: number[] = [];
        const senders = Array.from({ length: count }, async (_, value) => {
          await pause(s, `${value} sends`, microtasks);
          try {
            await channel.send(value);
            accepted.push(value);
          } catch (error) {
            assert.ok(error instanceof ChannelClosedError);
            assert.ok(channel.closed);
          }
        });
        const receiver = async (): Promise<void> => {
          for await (const value of channel) {
            received.push(value);
            await pause(s, "receiver works");
          }
        };
        const closer = async (): Promise<void> => {
          await pause(s, "closes", microtasks);
          channel.close();
        };
        await allEnd(s, [...senders, receiver(), closer()]);
        await settle();
        assert.deepEqual(received.sort(), accepted.sort());
      },
    ),
    { numRuns: 300 },
  );
});
