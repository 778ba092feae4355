import assert from "node:assert/strict";
import { AsyncLocalStorage } from "node:async_hooks";
import { test } from "node:test";
import { Batches } from "./batches.ts";

/** Batches whose runs a test ends, and those that began. */
function held({ most = 10, keyOf = (item: string) => item } = {}) {
  const begun: string[][] = [];
  const ends: PromiseWithResolvers<readonly (string | Promise<string>)[]>[] = [];
  const batches = new Batches<string, string>(
    (items) => {
      begun.push([...items]);
      const end = Promise.withResolvers<readonly (string | Promise<string>)[]>();
      ends.push(end);
      return end.promise;
    },
    { most, keyOf },
  );
  /** Ends the oldest run with a result for each item. */
  const end = (
    results: readonly (string | Promise<string>)[] = begun[begun.length - ends.length]?.map((item) => `${item} done`) ??
      [],
  ) => ends.shift()?.resolve(results);
  const fail = (error: Error) => ends.shift()?.reject(error);
  return { batches, begun, end, fail };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

for (const most of [0, 1.5, Number.NaN, Number.POSITIVE_INFINITY]) {
  test(`batches of at most ${most} are refused`, () => assert.throws(() => held({ most }), RangeError));
}

test("calls of one turn share a batch, and each gets its own result", async () => {
  const { batches, begun, end } = held();
  const results = Promise.all(["a", "b", "c"].map((item) => batches.add(item)));
  await turn();
  assert.deepEqual(begun, [["a", "b", "c"]]);
  end();
  assert.deepEqual(await results, ["a done", "b done", "c done"]);
});

test("calls that come while a batch runs share the next one, the oldest first and at most so many", async () => {
  const { batches, begun, end } = held({ most: 2 });
  const results = [batches.add("a")];
  await turn();
  for (const item of ["b", "c", "d"]) results.push(batches.add(item));
  await turn();
  assert.deepEqual(begun, [["a"]]);
  for (let run = 0; run < 3; run++) {
    end();
    await turn();
  }
  assert.deepEqual(begun, [["a"], ["b", "c"], ["d"]]);
  assert.deepEqual(await Promise.all(results), ["a done", "b done", "c done", "d done"]);
});

test("a second item of a key waits for the next batch", async () => {
  const { batches, begun, end } = held({ keyOf: ([key = ""]) => key });
  const results = Promise.all(["a1", "b1", "a2"].map((item) => batches.add(item)));
  await turn();
  end();
  await turn();
  end();
  assert.deepEqual(await results, ["a1 done", "b1 done", "a2 done"]);
  assert.deepEqual(begun, [["a1", "b1"], ["a2"]]);
});

test("an item that is done apart holds up no other", async () => {
  const { batches, begun, end } = held();
  const slow = Promise.withResolvers<string>();
  const [first, second] = [batches.add("a"), batches.add("b")];
  await turn();
  end([slow.promise, "b done"]);
  assert.equal(await second, "b done");
  const third = batches.add("c");
  await turn();
  assert.deepEqual(begun.at(-1), ["c"]);
  end();
  assert.equal(await third, "c done");
  slow.reject(new Error("failed apart"));
  await assert.rejects(first, /failed apart/);
});

test("after a failure each item runs alone, and only the bad one fails", async () => {
  const runs: string[] = [];
  const batches = new Batches<string, string>(
    async (items) => {
      runs.push(items.join());
      if (items.includes("bad")) throw new Error("bad item");
      return items.map((item) => `${item} done`);
    },
    { most: 10, keyOf: (item) => item },
  );
  const results = await Promise.allSettled(["a", "bad", "c"].map((item) => batches.add(item)));
  assert.deepEqual(
    results.map((result) => (result.status === "fulfilled" ? result.value : String(result.reason))),
    ["a done", "Error: bad item", "c done"],
  );
  assert.deepEqual(runs, ["a,bad,c", "a", "bad", "c"]);
  assert.equal(await batches.add("later"), "later done");
});

test("a run with too few results fails its calls", async () => {
  const batches = new Batches<string, string>(async () => [], { most: 1, keyOf: (item) => item });
  await assert.rejects(batches.add("a"), /a batch of 1 has 0 results/);
});

test("a run that throws before it waits fails its call, and later ones go on", async () => {
  let isBroken = true;
  const batches = new Batches<string, string>(
    (items) => {
      if (isBroken) throw new Error("at once");
      return Promise.resolve(items);
    },
    { most: 2, keyOf: (item) => item },
  );
  await assert.rejects(batches.add("a"), /at once/);
  isBroken = false;
  assert.equal(await batches.add("b"), "b");
});

test("a call that is given up while it waits never runs", async () => {
  const { batches, begun, end } = held();
  const first = batches.add("a");
  await turn();
  const control = new AbortController();
  const [given, kept] = [batches.add("b", control), batches.add("c")];
  control.abort(new Error("given up"));
  await assert.rejects(given, /given up/);
  end();
  await turn();
  end();
  assert.deepEqual(await Promise.all([first, kept]), ["a done", "c done"]);
  assert.deepEqual(begun, [["a"], ["c"]]);
  await assert.rejects(batches.add("d", control), /given up/);
});

test("a call that is given up while its batch runs rejects at once, and the others get their results", async () => {
  const { batches, end } = held();
  const control = new AbortController();
  const [given, kept] = [batches.add("a", control), batches.add("b")];
  await turn();
  control.abort(new Error("given up"));
  await assert.rejects(given, /given up/);
  end();
  assert.equal(await kept, "b done");
});

test("a call that is given up before its item fails apart leaves no failure unhandled", async () => {
  const { batches, end } = held();
  const control = new AbortController();
  const given = batches.add("a", control);
  await turn();
  control.abort(new Error("given up"));
  await assert.rejects(given, /given up/);
  end([Promise.reject(new Error("failed apart"))]);
  await turn(); // An unhandled failure would fail this test.
});

test("a batch is stopped once all of its calls were given up, and the next one runs", async () => {
  const runs: string[] = [];
  const batches = new Batches<string, string>(
    (items, signal) => {
      runs.push(items.join());
      if (!items.includes("hangs")) return Promise.resolve(items);
      const { promise, reject } = Promise.withResolvers<never>();
      signal.addEventListener("abort", () => reject(signal.reason as Error));
      return promise;
    },
    { most: 10, keyOf: (item) => item },
  );
  const [one, other] = [new AbortController(), new AbortController()];
  const given = [batches.add("hangs", one), batches.add("b", other)];
  const outcomes = Promise.allSettled(given);
  await turn();
  const next = batches.add("c");
  one.abort(new Error("the first"));
  await turn();
  assert.deepEqual(runs, ["hangs,b"]);
  other.abort(new Error("the last"));
  assert.equal(await next, "c");
  // No call waits for the two, so they do not run alone either.
  assert.deepEqual(runs, ["hangs,b", "c"]);
  assert.deepEqual(
    (await outcomes).map((outcome) => outcome.status === "rejected" && String(outcome.reason)),
    ["Error: the first", "Error: the last"],
  );
});

test("a batch runs in the context of its first call", async () => {
  const store = new AsyncLocalStorage<string>();
  const { promise, resolve } = Promise.withResolvers<void>();
  const batches = new Batches<string, string>(
    async (items) => {
      if (items[0] === "a") await promise;
      return items.map((item) => `${item} in ${store.getStore()}`);
    },
    { most: 10, keyOf: (item) => item },
  );
  const first = store.run("one", () => batches.add("a"));
  await turn();
  const next = [store.run("two", () => batches.add("b")), store.run("three", () => batches.add("c"))];
  resolve();
  assert.equal(await first, "a in one");
  assert.deepEqual(await Promise.all(next), ["b in two", "c in two"]);
});
