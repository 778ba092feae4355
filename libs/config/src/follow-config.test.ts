import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import test from "node:test";
import { z } from "zod";
import { folder } from "../test/folder.ts";
import { problemsOf } from "../test/problems.ts";
import { followConfig } from "./follow-config.ts";
import type { Source } from "./source.ts";
import { file } from "./sources/file.ts";

const schema = z.object({ rate: z.int().default(10) });

/** Records the calls of a follower, and waits until there are as many as a test wants. */
class Calls {
  readonly seen: string[] = [];
  readonly onChange = ({ rate }: { rate: number }): void => this.#add(`rate ${rate}`);
  readonly onRefused = (): void => this.#add("refused");
  readonly onFailure = (error: unknown): void => this.#add(String(error));
  #wake = (): void => {};

  #add(call: string): void {
    this.seen.push(call);
    this.#wake();
  }

  async count(count: number): Promise<readonly string[]> {
    while (this.seen.length < count) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      await promise;
    }
    return this.seen;
  }
}

test("the first configuration and each good change are reported; a wrong change is refused", async () => {
  using dir = folder();
  const path = dir.at("a.yaml");
  writeFileSync(path, "rate: 1");
  const calls = new Calls();
  await using _following = await followConfig(schema, [file(path)], calls);
  assert.deepEqual(calls.seen, ["rate 1"], "reported before followConfig resolves");
  writeFileSync(path, "rate: none");
  await calls.count(2);
  writeFileSync(path, "rate: 2");
  assert.deepEqual(await calls.count(3), ["rate 1", "refused", "rate 2"]);
});

test("a first configuration that is wrong rejects with its problems", async () => {
  using dir = folder();
  writeFileSync(dir.at("a.yaml"), "rate: none");
  const calls = new Calls();
  const [problem] = await problemsOf(followConfig(schema, [file(dir.at("a.yaml"))], calls));
  assert.equal(problem?.key, "rate");
  assert.deepEqual(calls.seen, []);
});

test("disposing ends the watch, and is no failure", async () => {
  const ended = Promise.withResolvers<void>();
  const calls = new Calls();
  const following = await followConfig(schema, [source(async (signal) => await aborted(signal, ended.resolve))], calls);
  await following[Symbol.asyncDispose]();
  await ended.promise;
  assert.deepEqual(calls.seen, ["rate 10"]);
});

test("a source that can no longer be watched is a failure", async () => {
  const calls = new Calls();
  await using _following = await followConfig(
    schema,
    [source(async () => Promise.reject(new Error("the watch is gone")))],
    calls,
  );
  assert.deepEqual(await calls.count(2), ["rate 10", "Error: the watch is gone"]);
});

function source(watch: (signal: AbortSignal) => Promise<void>): Source {
  return {
    name: "test",
    nameOf: () => "test",
    read: async () => ({ entries: [], problems: [] }),
    async *changes(signal) {
      yield;
      await watch(signal);
    },
  };
}

async function aborted(signal: AbortSignal, resolve: () => void): Promise<void> {
  await new Promise((done) => signal.addEventListener("abort", done));
  resolve();
}
