import assert from "node:assert/strict";
import { describe, test } from "node:test";
import * as fc from "fast-check";
import { MemoryPlaces } from "./weigh.ts";

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

void describe("places by memory", () => {
  void test("calls run together while they fit, and others wait in order", async () => {
    const places = new MemoryPlaces(100);
    const entered: string[] = [];
    const enter = async (key: string, octets: number) => {
      const place = await places.enter(key, octets);
      entered.push(key);
      return place;
    };
    const first = await enter("a", 40);
    const second = await enter("b", 40);
    const third = enter("c", 40);
    const fourth = enter("d", 10);
    await turn();
    assert.deepEqual(entered, ["a", "b"]);
    first[Symbol.dispose]();
    await Promise.all([third, fourth]);
    assert.deepEqual(entered, ["a", "b", "c", "d"]);
    second[Symbol.dispose]();
    second[Symbol.dispose]();
    assert.equal(places.held, 50);
  });

  void test("a client has half of the memory at most, and is overtaken while it is at that", async () => {
    const places = new MemoryPlaces(100);
    await places.enter("greedy", 30);
    const entered: string[] = [];
    for (let count = 0; count < 50; count++) void places.enter("greedy", 30).then(() => entered.push("greedy"));
    for (const key of ["polite", "other"]) void places.enter(key, 30).then(() => entered.push(key));
    await turn();
    assert.deepEqual(entered, ["polite", "other"]);
  });

  void test("a call heavier than all of the memory runs alone", async () => {
    const places = new MemoryPlaces(100);
    const heavy = await places.enter("a", 500);
    let entered = false;
    const next = places.enter("b", 1).then(() => (entered = true));
    await turn();
    assert.equal(entered, false);
    heavy[Symbol.dispose]();
    await next;
  });

  void test("a call that is cancelled while it waits takes no place", async () => {
    const places = new MemoryPlaces(100);
    const first = await places.enter("a", 90);
    const controller = new AbortController();
    const waiting = places.enter("b", 20, { signal: controller.signal });
    controller.abort(new Error("gone"));
    await assert.rejects(waiting, /gone/);
    first[Symbol.dispose]();
    assert.equal(places.held, 0);
  });

  void test("calls behind one that is cancelled enter at once if they fit", async () => {
    const places = new MemoryPlaces(100);
    await places.enter("a", 40);
    const controller = new AbortController();
    const heavy = places.enter("b", 90, { signal: controller.signal });
    void places.enter("c", 10);
    await turn();
    assert.equal(places.held, 40);
    controller.abort(new Error("gone"));
    await assert.rejects(heavy, /gone/);
    assert.equal(places.held, 50);
  });

  void test("in any order of events the bounds hold, and every call runs in the end", async () => {
    const step = fc.record({ key: fc.constantFrom("a", "b", "c"), octets: fc.integer({ min: 1, max: 45 }) });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), fc.infiniteStream(fc.nat()), async (calls, choices) => {
        const places = new MemoryPlaces(100);
        const running: { readonly key: string; readonly octets: number; readonly place: Disposable }[] = [];
        let ended = 0;
        for (const call of calls) {
          void places.enter(call.key, call.octets).then((place) => running.push({ ...call, place }));
        }
        while (ended < calls.length) {
          await turn();
          const held = running.reduce((sum, { octets }) => sum + octets, 0);
          assert.equal(held, places.held);
          assert.ok(held <= 100);
          for (const key of ["a", "b", "c"]) {
            const ofKey = running.filter((one) => one.key === key);
            assert.ok(ofKey.length <= 1 || ofKey.reduce((sum, { octets }) => sum + octets, 0) <= 50);
          }
          assert.ok(running.length > 0, "some call runs");
          const [one] = running.splice((choices.next().value as number) % running.length, 1);
          one?.place[Symbol.dispose]();
          ended++;
        }
        assert.equal(places.held, 0);
      }),
      { numRuns: 50 },
    );
  });
});
