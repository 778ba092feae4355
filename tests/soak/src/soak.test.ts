/** Tests of the soak itself: its verdicts, its expectations, and that it notices a leak. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setTimeout as delay, setImmediate as nextTurn } from "node:timers/promises";
import { ServiceError } from "@plumbline/errors";
import { Gate } from "./gate.ts";
import { inShares, type Kind } from "./mix.ts";
import { givenUp, Outcomes, problemsOf } from "./outcomes.ts";
import { slope } from "./slope.ts";
import { soak } from "./soak.ts";
import { Stalls } from "./stalls.ts";
import { judge, type Timed } from "./verdict.ts";

const mib = 2 ** 20;

test("the slope is that of the line, in spite of a few outliers", () => {
  const x = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9];
  assert.equal(
    slope(
      x,
      x.map((at) => 3 * at + 7),
    ),
    3,
  );
  assert.equal(slope(x, [7, 10, 13, 1e9, 19, 22, -1e9, 28, 31, 34]), 3);
  assert.equal(slope([1], [1]), 0);
});

/**
 * Returns the samples of an hour at 300 calls a second, with the heap that `heap` returns for
 * minutes and calls.
 */
function hour(heap: (minute: number, made: number) => number): Timed[] {
  return Array.from({ length: 60 }, (_, index) => {
    const [minute, made] = [index + 1, (index + 1) * 18_000];
    return { hours: minute / 60, made, heap: heap(minute, made), external: 0, rss: 0, handles: 5, cpuMs: 0 };
  });
}

describe("in an hour", () => {
  for (const { name, heap, isFlat } of [
    { name: "a heap that stays is flat", heap: () => 30 * mib, isFlat: true },
    {
      name: "a heap that grows only at the beginning is flat",
      heap: (minute: number) => Math.min(minute, 20) * mib,
      isFlat: true,
    },
    {
      name: "a heap that jumps up and down is flat",
      heap: (minute: number) => (30 + (minute % 3)) * mib,
      isFlat: true,
    },
    { name: "a heap that shrinks is flat", heap: (minute: number) => (90 - minute) * mib, isFlat: true },
    {
      name: "a heap that keeps 2 bytes of each call is not flat",
      heap: (_minute: number, made: number) => 30 * mib + 2 * made,
      isFlat: false,
    },
    {
      name: "a heap that jumps up and down and keeps 200 bytes of every hundredth call is not flat",
      heap: (minute: number, made: number) => (30 + (minute % 3) / 10) * mib + 2 * made,
      isFlat: false,
    },
  ]) {
    test(name, () => assert.equal(judge(hour(heap)).find(({ what }) => what === "heap")?.isFlat, isFlat));
  }

  test("a few samples give no verdict", () => {
    assert.ok(!judge(hour(() => 30 * mib).slice(0, 8)).some(({ isFlat }) => isFlat));
  });
});

test("an unexpected outcome is a problem, and so is a missing one", async () => {
  const expected = { small: { must: ["ok"], may: ["unavailable"] }, late: { must: ["deadline_exceeded", "given up"] } };
  const outcomes = new Outcomes(expected);
  const fail = (error: Error) => async () => {
    throw error;
  };
  await outcomes.count("small", async () => {});
  await outcomes.count("small", fail(new ServiceError("unavailable", "gone")));
  await outcomes.count("small", fail(new TypeError("a mistake")));
  await outcomes.count("late", fail(givenUp));
  assert.deepEqual(problemsOf(outcomes.counts, expected), [
    "small: 1 times TypeError: a mistake",
    "late: never deadline_exceeded",
  ]);
  assert.match(
    outcomes.surprises.join(),
    /^small: TypeError: a mistake after 0\.\d s, at minute 0\.\d\d\nTypeError: a mistake\n.*soak\.test\.ts/,
  );
  assert.deepEqual([outcomes.total, outcomes.running], [4, 0]);
});

test("kinds have their shares, even among few calls", () => {
  const kinds = [100, 10, 1].map((share): Kind => ({ name: `${share}`, share, must: [], run: async () => {} }));
  const order = inShares(kinds);
  const names = Array.from({ length: 222 }, () => order.next().value.name);
  assert.deepEqual(
    kinds.map((kind) => names.filter((name) => name === kind.name).length),
    [200, 20, 2],
  );
});

test("a process that stands still is noticed", async () => {
  const stalls = new Stalls();
  const until = performance.now() + 1_500;
  while (performance.now() < until);
  while (stalls.found.length === 0 && performance.now() < until + 10_000) await delay(20);
  assert.ok((stalls.found[0]?.ms ?? 0) > 1_000, JSON.stringify(stalls.found));
});

test("a closed gate holds callers until it opens", async () => {
  const gate = new Gate();
  await gate.through();
  gate.close();
  let isThrough = false;
  const through = gate.through().then(() => (isThrough = true));
  await nextTurn();
  assert.deepEqual([gate.isClosed, isThrough], [true, false]);
  gate.open();
  await through;
});

test("a server that leaks every call is noticed within seconds", { timeout: 120_000 }, async () => {
  const size = { totalMs: 4_000, everyMs: 400, everyCalls: 150, perSecond: 200 };
  const report = await soak({ transport: "http2", ...size, leak: "server" });
  assert.deepEqual([report.isFlat, report.ok], [false, false]);
  const flat = (side: "client" | "server") => report.verdicts[side].find(({ what }) => what === "heap")?.isFlat;
  assert.equal(flat("server"), false);
  assert.match(report.problems.join("\n"), /the server still holds \d\d+ calls/);
  assert.equal(report.census.client.calls, 0);
  assert.ok((report.counts["small"]?.["ok"] ?? 0) > 0, JSON.stringify(report.counts));
});
