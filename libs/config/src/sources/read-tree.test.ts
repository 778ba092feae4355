import assert from "node:assert/strict";
import test from "node:test";
import { z } from "zod";
import { problemsOf } from "../../test/problems.ts";
import { loadConfig } from "../load-config.ts";
import { type Setting, shapeOf } from "../settings.ts";
import type { Source } from "../source.ts";
import { durationMs, port } from "../types.ts";
import { watchConfig } from "../watch-config.ts";
import { fromText } from "./from-text.ts";
import { readTree, type TreeNode } from "./read-tree.ts";

const schema = z.object({
  http: z.object({ port: port(8080), drainMs: durationMs(0) }),
  tags: z.record(z.string(), z.string()).default({}),
});

/**
 * A source over a key-value store: a name, a `read` and `changes`. Keys are paths, values are text.
 */
class Store implements Source {
  readonly name = "store";
  readonly #keys: Map<string, string>;
  #changed = Promise.withResolvers<void>();

  constructor(keys: Record<string, string>) {
    this.#keys = new Map(Object.entries(keys));
  }

  put(key: string, value: string): void {
    this.#keys.set(key, value);
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }

  async read(settings: readonly Setting[]) {
    return readTree(treeOf([...this.#keys].map(([key, text]) => ({ key, path: key.split("/"), text }))), settings);
  }

  async *changes(signal: AbortSignal) {
    signal.addEventListener("abort", () => this.#changed.resolve());
    while (!signal.aborted) {
      const { promise } = this.#changed;
      yield;
      await promise;
    }
  }
}

interface Key {
  readonly key: string;
  readonly path: readonly string[];
  readonly text: string;
}

function treeOf(keys: readonly Key[]): TreeNode {
  const origin = keys[0]?.key ?? "";
  const [only] = keys.length === 1 && keys[0]?.path.length === 0 ? keys : [];
  if (only !== undefined) return { origin, value: (setting) => fromText(only.text, setting) };
  const names = Map.groupBy(keys, ({ path }) => path[0] ?? "");
  return {
    origin,
    parts: [...names].map(([name, group]) => ({
      name,
      origin: group[0]?.key ?? "",
      node: treeOf(group.map((key) => ({ ...key, path: key.path.slice(1) }))),
    })),
    value: () => undefined,
  };
}

test("a source needs a name, read and changes", { timeout: 10_000 }, async () => {
  const store = new Store({ "http/port": "1", tags: '{"a": "b"}' });
  const stop = new AbortController();
  const seen: number[] = [];
  for await (const { config } of watchConfig(schema, [store], stop.signal)) {
    assert.deepEqual(config?.tags, { a: "b" });
    seen.push(config.http.port);
    if (seen.length === 2) stop.abort();
    store.put("http/port", "2");
  }
  assert.deepEqual(seen, [1, 2]);
});

test("problems name the position in the source", async () => {
  const load = loadConfig(schema, [new Store({ "http/prot": "1", "http/drainMs": "soon", "tags/a": "b", http2: "x" })]);
  const problems = await problemsOf(load);
  assert.deepEqual(
    problems.map(({ key, source, expected }) => `${key} (${source}): ${expected}`),
    [
      "http.prot (http/prot): a known setting (did you mean http.port?)",
      "http2 (http2): a known setting (did you mean http?)",
      'http.drainMs (http/drainMs): a whole number from 0 to 2147483647, not "soon"',
    ],
  );
});

test("a missing setting is named by its key and source", async () => {
  const [problem] = await problemsOf(loadConfig(z.object({ a: z.object({ b: z.string() }) }), [new Store({})]));
  assert.equal(problem?.source, "not set: a.b in store");
});

test("a value where a section is expected, and a malformed value, are problems", () => {
  const { settings } = shapeOf(z.object({ http: z.object({ port: port(1) }), name: z.string() }));
  const broken: TreeNode = {
    origin: "line 2",
    value() {
      throw new Error("text of one line");
    },
  };
  const { entries, problems } = readTree(
    {
      origin: "line 1",
      parts: [
        { name: "http", origin: "line 1", node: broken },
        { name: "name", origin: "line 2", node: broken },
      ],
      value: () => undefined,
    },
    settings,
  );
  assert.deepEqual(entries, []);
  assert.deepEqual(problems, [
    { key: "http", source: "line 2", expected: "a map of settings" },
    { key: "name", source: "line 2", expected: "text of one line" },
  ]);
});

test("no tree has no settings", () => assert.deepEqual(readTree(undefined, []), { entries: [], problems: [] }));
