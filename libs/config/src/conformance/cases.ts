import assert from "node:assert/strict";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { ConfigError } from "../config-error.ts";
import { loadConfig } from "../load-config.ts";
import type { Source } from "../source.ts";
import { maxDocumentBytes } from "../sources/document.ts";
import { maxFileBytes } from "../sources/text-of.ts";
import type { Store, Subject } from "./store.ts";
import { schema, watching } from "./watching.ts";

/** A promise of every source of settings. */
export interface Case {
  readonly name: string;
  /** True for cases that need a store behind a network. */
  readonly isRemote?: boolean;
  run(store: Store, subject: Subject): Promise<void>;
}

/** The longest time until a change is seen. */
const changeMs = 2_000;
const defaultRate = 10;
const usualSilenceMs = 15_000;

export const cases: readonly Case[] = [
  {
    name: "the first value is the one that the store has at the start",
    async run(store) {
      await store.put("rate: 1");
      await using updates = watching(store.source());
      await updates.until(1);
    },
  },
  {
    name: "each change is seen within two seconds",
    async run(store) {
      await store.put("rate: 1");
      await using updates = watching(store.source());
      await updates.until(1);
      for (const rate of [2, 3, 4]) {
        await store.put(`rate: ${rate}`);
        await updates.until(rate, changeMs);
      }
    },
  },
  {
    name: "a burst of changes is at most a few updates, and the last value wins",
    async run(store) {
      await store.put("rate: 1");
      await using updates = watching(store.source());
      await updates.until(1);
      for (let rate = 2; rate <= 40; rate++) await store.put(`rate: ${rate}`);
      await updates.until(40, changeMs + 1_000);
      assert.ok(updates.seen.length <= 4, `${updates.seen.length} updates of 40 changes`);
    },
  },
  {
    name: "a wrong value is an error once, with its line, and the last good value stays",
    async run(store) {
      await store.put("rate: 1");
      await using updates = watching(store.source());
      await updates.until(1);
      await store.put("burst: 2\nrate: none");
      const error = await updates.untilError();
      assert.match(error.message, /rate \(.*:2\): expected a whole number/);
      named(error, store);
      await store.put("burst: 3\nrate: none"); // The same problem.
      await sleep(500);
      assert.equal(updates.seen.length, 2, "it is not an error again");
      assert.equal(updates.rate, 1);
    },
  },
  {
    name: "a fixed value is an update, also when it is the one before the mistake",
    async run(store) {
      await store.put("rate: 1");
      await using updates = watching(store.source());
      await updates.until(1);
      for (const rate of [1, 2]) {
        await store.put("rte: 5");
        await updates.untilError();
        await store.put(`rate: ${rate}`);
        await updates.until(rate, changeMs);
      }
    },
  },
  {
    name: "a missing document is an error with its name if it is required, and no settings if not",
    async run(store) {
      await store.delete();
      named(await refusal(store.source()), store);
      await using updates = watching(store.source({ optional: true }));
      await updates.until(defaultRate);
      await store.put("rate: 2");
      await updates.until(2, changeMs + 1_000);
    },
  },
  {
    name: "a document that is removed or emptied is an error, and the last good value stays",
    async run(store) {
      await store.put("rate: 1");
      await using updates = watching(store.source({ optional: true }));
      await updates.until(1);
      await store.delete();
      named(await updates.untilError(), store);
      await store.put("rate: 2");
      await updates.until(2, changeMs + 1_000);
      await store.put("");
      named(await updates.untilError(), store);
      assert.equal(updates.rate, 2);
      await store.put("rate: 3");
      await updates.until(3, changeMs);
    },
  },
  {
    name: "a store that is away at the start is an error within six seconds that names it",
    async run(store) {
      await store.put("rate: 1");
      await store.cut();
      const start = performance.now();
      named(await refusal(store.source()), store);
      assert.ok(performance.now() - start <= 6_000, `after ${performance.now() - start} ms`);
    },
  },
  {
    name: "with a cache file a start without the store takes the last valid document, and then follows the store",
    isRemote: true,
    async run(store) {
      using folder = temporaryFolder();
      const cacheFile = join(folder.path, "sub", "orders.cache");
      await store.put("rate: 1");
      {
        await using updates = watching(store.source({ cacheFile }));
        await updates.until(1);
        await store.put("rate: 2");
        await updates.until(2);
        await store.put("rate: none"); // Never in the cache.
        await updates.untilError();
      }
      assert.equal(statSync(cacheFile).mode & 0o077, 0, "only its owner can read it");
      await store.cut();
      const start = performance.now();
      await using updates = watching(store.source({ cacheFile }));
      await updates.until(2);
      assert.ok(performance.now() - start <= 5_000, `after ${performance.now() - start} ms`);
      await store.put("rate: 3");
      await store.restore();
      await updates.until(3, 5_000);
    },
  },
  {
    name: "after the connections are cut and back changes are seen, and the value stays meanwhile",
    async run(store) {
      await store.put("rate: 1");
      await using updates = watching(store.source());
      await updates.until(1);
      for (const rate of [2, 3]) {
        await store.cut();
        await sleep(300);
        await store.restore();
        await store.put(`rate: ${rate}`);
        await updates.until(rate, 5_000);
      }
    },
  },
  {
    name: "a change while the store is cut off is seen within two seconds after",
    async run(store, { isRemote }) {
      await store.put("rate: 1");
      await using updates = watching(store.source());
      await updates.until(1);
      await store.cut();
      await sleep(1_000);
      await store.put("rate: 2");
      await store.restore();
      await updates.until(2, isRemote ? changeMs : changeMs + 1_000);
      if (isRemote) assert.equal(updates.seen.length, 2, "a cut connection is no error");
    },
  },
  {
    name: "a change is seen although the connections have gone silent without an end",
    isRemote: true,
    async run(store, { silenceMs = usualSilenceMs }) {
      await store.put("rate: 1");
      await using updates = watching(store.source());
      await updates.until(1);
      assert.ok(store.mute, "a remote store can be muted");
      await store.mute();
      await store.put("rate: 2");
      await updates.until(2, silenceMs);
      assert.equal(updates.seen.length, 2, "a silent connection is no error");
    },
  },
  {
    name: "a change is seen after the store has lost its history while it was cut off",
    async run(store, { isRemote }) {
      await store.put("rate: 1");
      await using updates = watching(store.source());
      await updates.until(1);
      await store.cut();
      for (let rate = 2; rate <= 100; rate++) await store.put(`rate: ${rate}`);
      await store.loseHistory();
      await store.restore();
      await updates.until(100, isRemote ? changeMs : changeMs + 1_000);
      await store.put("rate: 101");
      await updates.until(101, changeMs);
    },
  },
  {
    name: "a change is seen after the store has lost its history under a running watch",
    async run(store) {
      await store.put("rate: 1");
      await using updates = watching(store.source());
      await updates.until(1);
      for (const rate of [2, 3]) {
        await store.loseHistory();
        await store.put(`rate: ${rate}`);
        await updates.until(rate, changeMs + 1_000);
      }
    },
  },
  {
    name: "a watch that is aborted leaves no connection and no timer",
    async run(store) {
      await store.put("rate: 1");
      const before = timers();
      for (let turn = 0; turn < 3; turn++) {
        const updates = watching(store.source());
        await updates.until(1);
        await updates.stop();
      }
      await store.release?.();
      await eventually(() => store.connections() === 0, "no connection is open");
      // In the middle of a failure too.
      const updates = watching(store.source());
      await updates.until(1);
      await store.cut();
      await sleep(200);
      await updates.stop();
      await store.release?.();
      await eventually(() => store.connections() === 0, "no connection is open");
      await eventually(() => timers() <= before, "no timer runs");
    },
  },
  {
    name: "a document that is malformed, unknown or of the wrong type is an error once, at the start too",
    async run(store) {
      await store.put("rate: 1");
      await using updates = watching(store.source());
      await updates.until(1);
      for (const [text, message] of badDocuments) {
        const before = updates.seen.length;
        await store.put(text);
        const error = await updates.untilError();
        assert.match(error.message, message);
        named(error, store);
        const atStart = await refusal(store.source());
        assert.match(atStart.message, message);
        named(atStart, store);
        assert.equal(updates.seen.length, before + 1, `it is said once: ${error.message}`);
        assert.equal(updates.rate, 1, "the last good value stays");
        // The next problem may have the same words.
        await store.put("rate: 1");
        await updates.until(1, 5_000);
      }
    },
  },
  {
    name: "a document of the largest size is read, and one byte more is an error that names it",
    async run(store, { isRemote }) {
      const maxBytes = isRemote ? maxDocumentBytes : maxFileBytes;
      await store.put("rate: 7\n#".padEnd(maxBytes, "x"));
      await using updates = watching(store.source());
      await updates.until(7);
      const isTaken = await store.put("rate: 8\n#".padEnd(maxBytes + 1, "x")).then(
        () => true,
        () => false, // The store has the same limit.
      );
      if (isTaken) {
        const error = await updates.untilError();
        assert.match(error.message, new RegExp(`at most ${maxBytes} bytes`));
        named(error, store);
      }
      assert.equal(updates.rate, 7, "the last good value stays");
      await store.put("rate: 9");
      await updates.until(9, 5_000);
    },
  },
];

/** Documents that no source takes, and the words of their problems. */
const badDocuments: readonly (readonly [text: string | Uint8Array, message: RegExp])[] = [
  ["rate: [1", /:1\): expected YAML: /],
  ['{"rate": 1', /:1\): expected YAML: /],
  ["rate: 2\nrate: 3", /:2\): expected YAML: /],
  ["\nrtae: 1", /rtae \(.*:2\): expected a known setting \(did you mean rate\?\)/],
  ["- 1", /expected a map of settings/],
  ["only text", /expected a map of settings/],
  ["rate:\n  deep: 1", /rate \(.*\): expected a whole number/],
  ['rate: "2"', /rate \(.*:1\): expected a whole number/],
  ["rate: 1.5", /rate \(.*:1\): expected a whole number/],
  ["rate: 0", /rate \(.*:1\): expected a whole number/],
  [Uint8Array.of(0x72, 0xff, 0xfe, 0x3a), /expected a (document|file) in UTF-8/],
];

function named(error: ConfigError, { origin }: Store): void {
  assert.ok(error.message.includes(origin), `it names ${origin}: ${error.message}`);
}

async function refusal(source: Source): Promise<ConfigError> {
  const error = await loadConfig(schema, [source]).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof ConfigError, `expected a ConfigError, got ${String(error)}`);
  return error;
}

function temporaryFolder(): Disposable & { readonly path: string } {
  const path = mkdtempSync(join(tmpdir(), "plumbline-source-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

function timers(): number {
  return process.getActiveResourcesInfo().filter((kind) => kind === "Timeout" || kind === "TCPSocketWrap").length;
}

async function eventually(isTrue: () => boolean, what: string): Promise<void> {
  const end = performance.now() + 5_000;
  while (!isTrue()) {
    assert.ok(performance.now() < end, `not within 5 s: ${what}; open: ${process.getActiveResourcesInfo().join(", ")}`);
    await sleep(20);
  }
}
