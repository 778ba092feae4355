import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { Channel } from "@plumbline/concurrency";
import type { Address } from "./address.ts";
import { AddressWatch } from "./address-watch.ts";

const [a, b] = ["10.0.0.1", "10.0.0.2"].map((host) => ({ host, port: 1 })) as [Address, Address];

/** Opens a watch of a source that says what the test sends. */
function openWatch(t: TestContext) {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const said = new Channel<readonly Address[] | Error>(0);
  const seen: string[] = [];
  let watches = 0;
  const resolver = {
    scheme: "test",
    async *watch(_: unknown, signal: AbortSignal) {
      watches++;
      for (;;) {
        const { value } = await said.receive({ signal });
        if (value instanceof Error) throw value;
        if (value !== undefined) yield value;
      }
    },
  };
  const watch = new AddressWatch(
    resolver,
    { authority: "", name: "" },
    {
      changed: (addresses) => seen.push(addresses.map(({ host }) => host.at(-1)).join("") || "none"),
      failed: (error) => seen.push(`failed: ${(error as Error).message}`),
      recovered: () => seen.push("recovered"),
    },
  );
  watch.start();
  return {
    seen,
    get watches() {
      return watches;
    },
    /** Resolves when the watch has taken it. */
    async say(...lists: (readonly Address[] | Error)[]): Promise<void> {
      for (const list of lists) await said.send(list);
      await turns();
    },
    /** Lets a time pass in small steps, with what it starts. */
    async pass(ms: number): Promise<void> {
      for (let passed = 0; passed < ms; passed += 100) {
        t.mock.timers.tick(100);
        await turns();
      }
    },
    [Symbol.asyncDispose]: () => watch[Symbol.asyncDispose](),
  };
}

async function turns(): Promise<void> {
  for (let i = 0; i < 10; i++) await new Promise((resolve) => setImmediate(resolve));
}

void describe("the addresses behind a name", () => {
  test("change when the source says so, and not for another order or a repetition", async (t) => {
    await using watch = openWatch(t);
    await watch.say([a, b], [b, a], [b, a, b], [b]);
    assert.deepEqual(watch.seen, ["12", "2"]);
  });

  test("stay when the source says once that there are none, for 5 s", async (t) => {
    await using watch = openWatch(t);
    await watch.say([a], []);
    await watch.pass(4_900);
    assert.deepEqual(watch.seen, ["1"]);
    await watch.pass(200);
    assert.deepEqual(watch.seen, ["1", "none"]);
  });

  test("are none once the source has said so twice", async (t) => {
    await using watch = openWatch(t);
    await watch.say([a], [], []);
    assert.deepEqual(watch.seen, ["1", "none"]);
  });

  test("stay when an empty list is taken back", async (t) => {
    await using watch = openWatch(t);
    await watch.say([a], [], [a], []);
    assert.deepEqual(watch.seen, ["1"]);
    await watch.say([b]);
    await watch.pass(6_000);
    assert.deepEqual(watch.seen, ["1", "2"]);
  });

  test("are none at once if the first list is empty", async (t) => {
    await using watch = openWatch(t);
    await watch.say([]);
    assert.deepEqual(watch.seen, ["none"]);
  });

  test("stay when the source says none, fails, starts again and says none", async (t) => {
    await using watch = openWatch(t);
    await watch.say([a], [], new Error("gone"));
    await watch.pass(6_000);
    await watch.say([]);
    await watch.pass(4_900);
    assert.deepEqual(watch.seen, ["1", "failed: gone", "recovered"]);
    await watch.pass(200);
    assert.deepEqual(watch.seen.at(-1), "none");
  });

  test("stay while the source fails, which is asked again with pauses that grow", async (t) => {
    await using watch = openWatch(t);
    await watch.say([a]);
    const failing = (async () => {
      for (let i = 0; i < 8; i++) await watch.say(new Error("gone"));
    })();
    await watch.pass(1_000);
    assert.ok(watch.watches < 8, `${watch.watches} watches in a second`);
    await watch.pass(40_000);
    await failing;
    await watch.say([a], [b]);
    assert.deepEqual(watch.seen, ["1", ...Array.from({ length: 8 }, () => "failed: gone"), "recovered", "2"]);
  });

  test("are at most 1,000", async (t) => {
    await using watch = openWatch(t);
    await watch.say(Array.from({ length: 1_200 }, (_, index) => ({ host: `host-${index}`, port: 1 })));
    assert.equal(watch.seen[0]?.length, 1_000);
  });

  test("are not watched before the start, and no longer after the end", async (t) => {
    const watch = openWatch(t);
    assert.equal(watch.watches, 1);
    await watch.say([a], []);
    await watch[Symbol.asyncDispose]();
    await watch.pass(6_000);
    assert.deepEqual(watch.seen, ["1"]);
  });
});
