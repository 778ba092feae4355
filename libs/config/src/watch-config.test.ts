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

/** A watch on `sources`, read update by update. Each wait ends after ten seconds at the latest. */
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

test("the first update is the configuration as it is, so that no change between loading and watching is lost", async () => {
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

test("a file that an editor replaces by renaming is read again, each time", async () => {
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

test("a Kubernetes ConfigMap is followed through its links, also when the old version is removed", async () => {
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

test("a file behind a link to another folder is found by reading it now and then", async () => {
  using dir = folder();
  using elsewhere = folder();
  writeFileSync(elsewhere.at("a.yaml"), "rate: 1");
  symlinkSync(elsewhere.at("a.yaml"), dir.at("a.yaml"));
  await using updates = watching(file(dir.at("a.yaml")));
  assert.equal(await updates.next(), 1);
  writeFileSync(elsewhere.at("a.yaml"), "rate: 2");
  assert.equal(await updates.next(), 2);
});

test("an optional file may come later, with its folder", async () => {
  using dir = folder();
  await using updates = watching(file(dir.at("later/a.yaml"), { optional: true }));
  assert.equal(await updates.next(), 10);
  mkdirSync(dir.at("later"));
  writeFileSync(dir.at("later/a.yaml"), "rate: 2");
  assert.equal(await updates.next(), 2);
});

test("a bad change is reported once and whole; the last good one stays until a good one comes", async () => {
  using dir = folder();
  writeFileSync(dir.at("a.yaml"), "rate: 1");
  await using updates = watching(file(dir.at("a.yaml")));
  assert.equal(await updates.next(), 1);
  writeFileSync(dir.at("a.yaml"), "burst: 7\nrate: none");
  assert.equal(await updates.next(), "error");
  writeFileSync(dir.at("a.yaml"), "burst: 7\nrate: none  # the same problem");
  writeFileSync(dir.at("a.yaml"), "rate: 1\n");
  assert.equal(await updates.next(), 1, "that it is good again is news, though nothing else changed");
});

for (const [name, change] of [
  ["emptied", (path: string) => writeFileSync(path, "")],
  ["taken away", (path: string) => rmSync(path)],
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

test("who asks slowly gets the latest: nothing queues up", async () => {
  const changes = new Set<() => void>();
  let rate = 0;
  let reads = 0;
  const source: Source = {
    name: "test",
    nameOf: () => "test",
    async read() {
      reads++;
      return { entries: [{ path: ["rate"], value: ++rate, origin: "test" }], problems: [] };
    },
    async *changes(signal) {
      for (let count = 0; count < 1_000 && !signal.aborted; count++) yield;
      await new Promise<void>((resolve) => {
        changes.add(resolve);
        signal.addEventListener("abort", () => resolve());
      });
    },
  };
  await using updates = watching(source);
  assert.equal(await updates.next(), 1);
  assert.equal(await updates.next(), 2);
  assert.equal(reads, 2, "a thousand changes were one");
});

test("a change of a secret alone is a change", async () => {
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

test("a source that cannot watch any more ends the loop with its error", async () => {
  const broken: Source = {
    name: "broken",
    nameOf: () => "broken",
    read: async () => ({ entries: [], problems: [] }),
    async *changes() {
      yield;
      throw new Error("the watch is gone");
    },
  };
  await using updates = watching(broken);
  await updates.next();
  await assert.rejects(updates.next(), /the watch is gone/);
});
