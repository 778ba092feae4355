import assert from "node:assert/strict";
import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import test from "node:test";
import { folder } from "../../test/folder.ts";
import { fileChanges } from "./file-changes.ts";

const never = 60_000; // Longer than the test, so that only events can show a change.

function changesOf(path: string, pollMs: number) {
  const stop = new AbortController();
  const changes = fileChanges(path, stop.signal, pollMs)[Symbol.asyncIterator]();
  return {
    /** Makes a change and waits until it is seen. */
    async see(change: () => void): Promise<void> {
      const seen = changes.next();
      change();
      const late = new Promise<never>((_, reject) => setTimeout(() => reject(new Error("not seen")), 10_000).unref());
      await Promise.race([seen, late]);
    },
    start: () => changes.next(),
    async [Symbol.asyncDispose]() {
      stop.abort();
      await changes.return?.();
    },
  };
}

test("events show a write, a rename into place, a removal and a new file", async () => {
  using dir = folder();
  const path = dir.at("a.yaml");
  writeFileSync(path, "1");
  await using changes = changesOf(path, never);
  await changes.start();
  await changes.see(() => writeFileSync(path, "2"));
  await changes.see(() => {
    writeFileSync(dir.at("new"), "3");
    renameSync(dir.at("new"), path);
  });
  await changes.see(() => {
    writeFileSync(dir.at("new"), "4");
    renameSync(dir.at("new"), path);
  });
  await changes.see(() => rmSync(path));
  await changes.see(() => writeFileSync(path, "5"));
});

test("events show the swapped link of a ConfigMap", async () => {
  using dir = folder();
  const swap = (version: number): void => {
    mkdirSync(dir.at(`..${version}`));
    writeFileSync(dir.at(`..${version}/a.yaml`), String(version));
    symlinkSync(`..${version}`, dir.at("..data_tmp"));
    renameSync(dir.at("..data_tmp"), dir.at("..data"));
  };
  swap(1);
  symlinkSync("..data/a.yaml", dir.at("a.yaml"));
  await using changes = changesOf(dir.at("a.yaml"), never);
  await changes.start();
  await changes.see(() => swap(2));
  await changes.see(() => swap(3));
});

test("polling finds a change behind a link to another folder", async () => {
  using dir = folder();
  using elsewhere = folder();
  writeFileSync(elsewhere.at("a.yaml"), "1");
  symlinkSync(elsewhere.at("a.yaml"), dir.at("a.yaml"));
  await using changes = changesOf(dir.at("a.yaml"), 20);
  await changes.start();
  await changes.see(() => writeFileSync(elsewhere.at("a.yaml"), "2"));
});

test("polling finds a folder that is created later or replaced", async () => {
  using dir = folder();
  const path = dir.at("later/a.yaml");
  await using changes = changesOf(path, 20);
  await changes.start();
  await changes.see(() => {
    mkdirSync(dir.at("later"));
    writeFileSync(path, "1");
  });
  await changes.see(() => rmSync(dir.at("later"), { recursive: true }));
  await changes.see(() => {
    mkdirSync(dir.at("later"));
    writeFileSync(path, "2");
  });
});

test("a rewrite with the same content is no change", async () => {
  using dir = folder();
  const path = dir.at("a.yaml");
  writeFileSync(path, "same");
  await using changes = changesOf(path, 20);
  await changes.start();
  let seen = false;
  const next = changes.see(() => {
    writeFileSync(path, "same");
    writeFileSync(dir.at("other"), "x");
  });
  void next.then(() => (seen = true));
  // Nothing tells that nothing happens; too short a wait can hide a mistake here, not invent one.
  await new Promise((resolve) => setTimeout(resolve, 200));
  assert.equal(seen, false);
  writeFileSync(path, "other");
  await next;
});
