import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { test } from "node:test";
import * as fc from "fast-check";
import { allEnd, pause, settle } from "../test/explore.ts";
import { seeded, stateOf } from "../test/helpers.ts";
import { Channel, ChannelClosedError } from "./channel.ts";
import { select } from "./select.ts";

test("the ready case is taken, and its handler's result is the result of select", async () => {
  const [empty, full] = [new Channel<number>(1), new Channel<number>(1)];
  await full.send(7);
  const answer = await select([
    empty.onReceive(() => "empty"),
    full.onReceive(({ value }) => `got ${value}`),
    full.onSend(8, () => "sent"),
  ]);
  assert.equal(answer, "got 7");
  assert.equal(full.length, 0);
});

test("with no case ready it waits for the first and leaves the other queues", async () => {
  const [a, b] = [new Channel<string>(0), new Channel<string>(0)];
  const taken = select([a.onReceive(({ value }) => value), b.onReceive(({ value }) => value)]);
  await b.send("b");
  assert.equal(await taken, "b");
  // If it had stayed in the queue of `a`, this value would be accepted and lost.
  assert.equal(a.trySend("a"), false);
});

test("a send case is taken when a receiver arrives, and its value is sent once", async () => {
  const [a, b] = [new Channel<string>(0), new Channel<string>(0)];
  const taken = select([a.onSend("to a", () => "a"), b.onSend("to b", () => "b")]);
  assert.deepEqual(await a.receive(), { done: false, value: "to a" });
  assert.equal(await taken, "a");
  assert.equal(b.tryReceive(), undefined);
});

test("two selects meet at a rendezvous, and each takes one case", async () => {
  const [there, back] = [new Channel<string>(0), new Channel<string>(0)];
  const left = select([there.onSend("ping", () => "sent"), back.onReceive(({ value }) => `got ${value}`)]);
  const right = select([back.onSend("pong", () => "sent"), there.onReceive(({ value }) => `got ${value}`)]);
  const both = await Promise.all([left, right]);
  assert.ok(
    ["sent,got ping", "got pong,sent"].includes(both.join(",")),
    `one sent what the other got, but it was ${both.join(" and ")}`,
  );
});

test("a select that both sends and receives at one rendezvous does not meet itself", async () => {
  const channel = new Channel<string>(0);
  const taken = select([channel.onSend("mine", () => "sent"), channel.onReceive(({ value }) => value)]);
  assert.equal(await stateOf(taken), "pending");
  await channel.send("yours");
  assert.equal(await taken, "yours");
});

test("the default runs only when no case is ready", async () => {
  const channel = new Channel<number>(1);
  const poll = (): Promise<number | "nothing" | undefined> =>
    select([channel.onReceive(({ value }) => value)], { default: () => "nothing" as const });
  assert.equal(await poll(), "nothing");
  await channel.send(1);
  assert.equal(await poll(), 1);
  assert.equal(await select([], { default: () => "alone" }), "alone");
});

test("the default may be asynchronous, and so may a handler", async () => {
  const channel = new Channel<number>(1);
  const later = async (): Promise<string> => {
    await settle();
    return "later";
  };
  assert.equal(await select([channel.onReceive(() => "now")], { default: later }), "later");
  assert.equal(await select([channel.onSend(1, later)]), "later");
});

test("a handler that throws fails the select, after the exchange", async () => {
  const channel = new Channel<number>(1);
  const thrower = (): never => {
    throw new Error("handler failed");
  };
  await assert.rejects(select([channel.onSend(1, thrower)]), /handler failed/);
  assert.equal(channel.length, 1);
});

test("several ready cases have equal chances", async () => {
  // Every pair of draws that a shuffle of three can make: each case must be first equally often.
  const counts = [0, 0, 0];
  for (const first of [0, 1, 2]) {
    for (const second of [0, 1]) {
      const draws = [(first + 0.5) / 3, (second + 0.5) / 2];
      const channels = [0, 1, 2].map((name) => {
        const channel = new Channel<number>(1);
        channel.trySend(name);
        return channel;
      });
      const cases = channels.map((channel) => channel.onReceive(({ value }) => value ?? -1));
      const taken = await select(cases, { random: () => draws.shift() ?? assert.fail("too many random numbers") });
      counts[taken] = (counts[taken] ?? 0) + 1;
    }
  }
  assert.deepEqual(counts, [2, 2, 2]);
});

test("a case that is always ready does not starve another ready case", async () => {
  const [busy, quiet] = [new Channel<string>(1), new Channel<string>(1)];
  quiet.trySend("quiet");
  const random = seeded(1);
  for (let round = 0; round < 100; round++) {
    if (busy.length === 0) busy.trySend("busy");
    const taken = await select([busy.onReceive(({ value }) => value), quiet.onReceive(({ value }) => value)], {
      random,
    });
    if (taken === "quiet") return;
  }
  assert.fail("the quiet channel was never taken");
});

test("aborting takes no case, even if one becomes ready afterwards", async () => {
  const channel = new Channel<string>(0);
  const controller = new AbortController();
  const reason = new Error("stop");
  const taken = select([channel.onReceive(() => assert.fail("taken"))], { signal: controller.signal });
  controller.abort(reason);
  assert.equal(channel.trySend("kept"), false);
  await assert.rejects(taken, reason);
});

test("an aborted signal takes neither a ready case nor the default", async () => {
  const channel = new Channel<string>(1);
  channel.trySend("kept");
  const cases = [channel.onReceive(() => assert.fail("taken"))];
  const options = { signal: AbortSignal.abort(), default: () => assert.fail("taken") };
  await assert.rejects(select(cases, options), { name: "AbortError" });
  assert.equal(channel.length, 1);
});

test("a receive case of a closed channel is ready, and a send case rejects", async () => {
  const channel = new Channel<string>(1);
  channel.close();
  assert.equal(await select([channel.onReceive(({ done }) => done)]), true);
  await assert.rejects(select([channel.onSend("late", () => "sent")]), ChannelClosedError);
});

test("closing wakes waiting selects, and they leave their other queues", async () => {
  const [inbox, outbox, other] = [new Channel<string>(0), new Channel<string>(0), new Channel<string>(0)];
  const receives = select([inbox.onReceive(({ done }) => done), other.onReceive(() => "other")]);
  const sends = select([outbox.onSend("late", () => "sent"), other.onReceive(() => "other")]);
  inbox.close();
  outbox.close();
  assert.equal(await receives, true);
  await assert.rejects(sends, ChannelClosedError);
  assert.equal(other.trySend("lost?"), false);
});

test("a select without cases is refused", async () => {
  await assert.rejects(select([]), RangeError);
});

test("a case can be used again", async () => {
  const channel = new Channel<number>(2);
  const next = channel.onReceive(({ value }) => value);
  channel.trySend(1);
  channel.trySend(2);
  assert.deepEqual([await select([next]), await select([next])], [1, 2]);
});

test("a select that has ended leaves no listener on its signal", async () => {
  const channel = new Channel<number>(0);
  const { signal } = new AbortController();
  for (let i = 0; i < 100; i++) {
    const taken = select([channel.onReceive(({ value }) => value), channel.onReceive(({ value }) => value)], {
      signal,
    });
    await channel.send(i);
    assert.equal(await taken, i);
  }
  assert.equal(getEventListeners(signal, "abort").length, 0);
});

test("in every schedule a select takes exactly one case, and each value sent is received once", async () => {
  const actor = fc.record({
    cases: fc.array(fc.record({ send: fc.boolean(), channel: fc.nat(2) }), { minLength: 1, maxLength: 3 }),
    rounds: fc.integer({ min: 1, max: 3 }),
    microtasks: fc.nat(4),
    aborts: fc.boolean(),
    polls: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(
      fc.scheduler(),
      fc.tuple(fc.nat(2), fc.nat(2), fc.nat(2)),
      fc.array(actor, { minLength: 1, maxLength: 5 }),
      fc.integer(),
      async (s, capacities, actors, seed) => {
        const random = seeded(seed);
        const channels = capacities.map((capacity) => new Channel<number>(capacity));
        const controllers = actors.map(() => new AbortController());
        const sent: number[] = [];
        const received: number[] = [];
        let values = 0;
        let outstanding = actors.length;
        const run = async (
          { cases, rounds, microtasks, polls }: (typeof actors)[number],
          index: number,
        ): Promise<void> => {
          const signal = controllers[index]?.signal;
          for (let round = 0; round < rounds; round++) {
            await pause(s, `${index} selects`, microtasks);
            let handlers = 0;
            const offered = cases.map((kind) => {
              const channel = channels[kind.channel] as Channel<number>;
              const value = values++;
              if (kind.send) {
                return channel.onSend(value, () => {
                  handlers++;
                  sent.push(value);
                });
              }
              return channel.onReceive((got) => {
                handlers++;
                if (!got.done) received.push(got.value);
              });
            });
            try {
              if (polls) await select(offered, { signal, random, default: () => void handlers++ });
              else await select(offered, { signal, random });
              assert.equal(handlers, 1, "exactly one case is taken");
            } catch (error) {
              assert.equal(handlers, 0, "a select that rejects takes no case");
              assert.ok(error instanceof ChannelClosedError || error === signal?.reason);
            }
            for (const [at, channel] of channels.entries()) assert.ok(channel.length <= (capacities[at] ?? 0));
          }
          outstanding--;
        };
        const abort = async (index: number): Promise<void> => {
          await pause(s, `${index} aborts`, actors[index]?.microtasks);
          controllers[index]?.abort(new Error(`${index} gave up`));
        };
        const all = [...actors.map(run), ...actors.flatMap(({ aborts }, index) => (aborts ? [abort(index)] : []))];
        await s.waitIdle();
        await settle();
        // Some wait for a partner that does not exist. Closing must end every one of these waits.
        for (const channel of channels) channel.close();
        await allEnd(s, all);
        assert.equal(outstanding, 0);
        for (const channel of channels) for await (const value of channel) received.push(value);
        assert.deepEqual(received.sort(), sent.sort());
      },
    ),
    { numRuns: 500 },
  );
});
