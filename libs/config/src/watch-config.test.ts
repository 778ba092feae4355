import assert from "node:assert/strict";
import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import test from "node:test";
import { z } from "zod";
import { folder } from "../test/folder.ts";
import type { Source } from "./source.ts";
import { env } from "./sources/env.ts";
import { file } from "./sources/file.ts";
import { secret } from "./types.ts";
import { watchConfig } from "./watch-config.ts";

const schema = z.object({ rate: z.int().min(1).default(10), burst: z.int().default(1) });

/** Watches `sources`, update by update. Each wait lasts at most ten seconds. */
function watching(...sources: Source[]) {
  const stop = new AbortController();
  const updates = watchConfig(schema, sources, stop.signal)[Symbol.asyncIterator]();
  return {
    stop,
    async next() {
      const late = new Promise<never>((_, reject) => setTimeout(() => reject(new Error("no update")), 10_000).unref());
      const { value } = await Promise.race([updates.next(), late]);
      return value?.error ? "error" : value?.config?.rate;
    },
    end: () => updates.next(),
    async [Symbol.asyncDispose]() {
      stop.abort();
      await updates.return?.();
    },
  };
}

test("the first update is the present configuration, so that no change before the watch is missed", async () => {
  using dir = folder();
  writeFileSync(dir.at("a.yaml"), "rate: 1");
  await using updates = watching(file(dir.at("a.yaml")));
  assert.equal(await updates.next(), 1);
});

test("a file that is written to is read again", async () => {
  using dir = folder();
  writeFileSync(dir.at("a.yaml"), "rate: 1");
  await using updates = watching(file(dir.at("a.yaml")));
  await updates.next();
  for (const rate of [2, 3, 4]) {
    writeFileSync(dir.at("a.yaml"), `rate: ${rate}`);
    assert.equal(await updates.next(), rate);
  }
});

test("a file that an editor renames into place is read again, each time", async () => {
  using dir = folder();
  writeFileSync(dir.at("a.yaml"), "rate: 1");
  await using updates = watching(file(dir.at("a.yaml")));
  await updates.next();
  for (const rate of [2, 3]) {
    renameSync(dir.at("a.yaml"), dir.at("a.yaml~"));
    writeFileSync(dir.at(".swap"), `rate: ${rate}`);
    renameSync(dir.at(".swap"), dir.at("a.yaml"));
    assert.equal(await updates.next(), rate);
  }
});

test("a ConfigMap of Kubernetes is followed through its links, also when the old version is removed", async () => {
  using dir = folder();
  const version = (rate: number): void => {
    const name = `..2026_${rate}`;
    mkdirSync(dir.at(name));
    writeFileSync(dir.at(`${name}/a.yaml`), `rate: ${rate}`);
    symlinkSync(name, dir.at("..data_tmp"));
    renameSync(dir.at("..data_tmp"), dir.at("..data"));
    rmSync(dir.at(`..2026_${rate - 1}`), { recursive: true, force: true });
  };
  version(1);
  symlinkSync("..data/a.yaml", dir.at("a.yaml"));
  await using updates = watching(file(dir.at("a.yaml")));
  assert.equal(await updates.next(), 1);
  for (const rate of [2, 3, 4]) {
    version(rate);
    assert.equal(await updates.next(), rate);
  }
});

test("an optional file and its folder may be created later", async () => {
  using dir = folder();
  await using updates = watching(file(dir.at("later/a.yaml"), { optional: true }));
  assert.equal(await updates.next(), 10);
  mkdirSync(dir.at("later"));
  writeFileSync(dir.at("later/a.yaml"), "rate: 2");
  assert.equal(await updates.next(), 2);
});

test("an invalid change is reported once, and the last good configuration stays until a valid one", async () => {
  using dir = folder();
  writeFileSync(dir.at("a.yaml"), "rate: 1");
  await using updates = watching(file(dir.at("a.yaml")));
  assert.equal(await updates.next(), 1);
  writeFileSync(dir.at("a.yaml"), "burst: 7\nrate: none");
  assert.equal(await updates.next(), "error");
  writeFileSync(dir.at("a.yaml"), "rate: 1\n");
  assert.equal(await updates.next(), 1, "a return to a valid file is an update, although the values are the same");
});

for (const [name, change] of [
  ["emptied", (path: string) => writeFileSync(path, "")],
  ["removed", (path: string) => rmSync(path)],
] as const) {
  test(`a file that is ${name} does not fall back to defaults`, async () => {
    using dir = folder();
    const path = dir.at("a.yaml");
    writeFileSync(path, "rate: 1");
    await using updates = watching(file(path, { optional: true }));
    assert.equal(await updates.next(), 1);
    change(path);
    assert.equal(await updates.next(), "error");
    writeFileSync(path, "rate: 2");
    assert.equal(await updates.next(), 2);
  });
}

test("a file written in steps gives one update, of the end", async () => {
  using dir = folder();
  const path = dir.at("a.yaml");
  writeFileSync(path, "rate: 1");
  await using updates = watching(file(path));
  await updates.next();
  const update = updates.next();
  for (let step = 0; step < 20; step++) writeFileSync(path, step % 2 === 0 ? "" : `rate: ${step + 2}`);
  assert.equal(await update, 21);
});

test("changes less than 100 ms apart are one update", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const flush = () => new Promise((resolve) => setImmediate(resolve));
  const source = manual(1);
  await using updates = watching(source);
  let seen = await updates.next();
  const update = updates.next().then((rate) => (seen = rate));
  await flush();
  for (const rate of [2, 3, 4]) {
    source.value = () => rate;
    source.raise();
    await flush();
    t.mock.timers.tick(99);
    await flush();
    assert.equal(seen, 1);
  }
  t.mock.timers.tick(1);
  await update;
  assert.equal(seen, 4);
});

test("the same problem is not reported twice", async () => {
  const source = manual("none");
  await using updates = watching(source);
  assert.equal(await updates.next(), "error");
  const update = updates.next();
  await source.change("none");
  void source.change(3);
  assert.equal(await update, 3);
});

test("a slow reader gets only the latest configuration", async () => {
  const source = manual(0);
  let rate = 0;
  source.value = () => ++rate;
  await using updates = watching(source);
  assert.equal(await updates.next(), 1);
  for (let count = 0; count < 1_000; count++) source.raise();
  assert.equal(await updates.next(), 2);
  assert.equal(rate, 2, "a thousand changes were one");
});

test("a change of a secret alone is a change", { timeout: 10_000 }, async () => {
  using dir = folder();
  writeFileSync(dir.at("a.yaml"), "token: one");
  const stop = new AbortController();
  const seen: (string | undefined)[] = [];
  for await (const { config } of watchConfig(z.object({ token: secret() }), [file(dir.at("a.yaml"))], stop.signal)) {
    seen.push(config?.token.reveal());
    if (seen.length === 2) break;
    writeFileSync(dir.at("a.yaml"), "token: two");
  }
  assert.deepEqual(seen, ["one", "two"]);
});

test("the environment still wins over a file that changes", async () => {
  using dir = folder();
  writeFileSync(dir.at("a.yaml"), "rate: 1");
  await using updates = watching(file(dir.at("a.yaml")), env("X", { X_BURST: "5" }));
  await updates.next();
  writeFileSync(dir.at("a.yaml"), "rate: 2\nburst: 9");
  assert.equal(await updates.next(), 2);
});

test("aborting ends the loop, also while it waits", async () => {
  using dir = folder();
  writeFileSync(dir.at("a.yaml"), "rate: 1");
  await using updates = watching(file(dir.at("a.yaml")));
  await updates.next();
  const last = updates.end();
  updates.stop.abort();
  assert.equal((await last).done, true);
});

test("a source that can no longer be watched ends the loop with its error", async () => {
  const broken: Source = {
    name: "broken",
    nameOf: () => "broken",
    read: async () => ({ entries: [], problems: [] }),
    async *changes() {
      yield;
      throw new Error("the watch failed");
    },
  };
  await using updates = watching(broken);
  await updates.next();
  await assert.rejects(updates.next(), /the watch failed/);
});

/** Returns a source whose value a test changes. */
function manual(rate: unknown) {
  let wake = (): void => {};
  let read = (): void => {};
  return {
    name: "manual",
    nameOf: () => "manual",
    value: () => rate,
    raise: () => wake(),
    /** Resolves when the new value has been read. */
    async change(to: unknown): Promise<void> {
      rate = to;
      const { promise, resolve } = Promise.withResolvers<void>();
      read = resolve;
      wake();
      await promise;
    },
    async read() {
      read();
      return { entries: [{ path: ["rate"], value: this.value(), origin: "manual" }], problems: [] };
    },
    async *changes(signal: AbortSignal) {
      signal.addEventListener("abort", () => wake());
      for (;;) {
        const { promise, resolve } = Promise.withResolvers<void>();
        wake = resolve;
        await promise;
        if (signal.aborted) return;
        yield;
      }
    },
  };
}
