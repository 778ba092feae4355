import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import test from "node:test";
import { z } from "zod";
import { folder } from "../../test/folder.ts";
import { problemsOf } from "../../test/problems.ts";
import { loadConfig } from "../load-config.ts";
import { file } from "./file.ts";

const schema = z.object({
  name: z.string().default("none"),
  limits: z.object({ rate: z.number().default(1), burst: z.number().default(2) }),
  tags: z.record(z.string(), z.string()).default({}),
});
const untouched = { name: "none", limits: { rate: 1, burst: 2 }, tags: {} };

async function load(text: string, name = "app.yaml") {
  using dir = folder();
  writeFileSync(dir.at(name), text);
  return await loadConfig(schema, [file(dir.at(name))]);
}

for (const { name, text, want } of [
  {
    name: "YAML",
    text: "name: a\nlimits: { rate: 5 }\n",
    want: { ...untouched, name: "a", limits: { rate: 5, burst: 2 } },
  },
  { name: "JSON", text: '{"name": "a", "tags": {"x": "y"}}', want: { ...untouched, name: "a", tags: { x: "y" } } },
  {
    name: "a dotted key",
    text: "limits.rate: 5\nlimits: { burst: 3 }",
    want: { ...untouched, limits: { rate: 5, burst: 3 } },
  },
  { name: "an empty file", text: "", want: untouched },
  { name: "a file of comments", text: "# name: a\n", want: untouched },
  { name: "a section whose lines are all comments", text: "limits:\n  # rate: 5\n", want: untouched },
  { name: "a key without a value", text: "name:\nlimits: { rate: null }", want: untouched },
  { name: "an alias", text: "name: &n a\ntags: { x: *n }", want: { ...untouched, name: "a", tags: { x: "a" } } },
  {
    name: "a key that is on every object",
    text: "tags: { __proto__: p, constructor: c }",
    want: { ...untouched, tags: { constructor: "c" } },
  },
]) {
  test(`${name} is read`, async () => assert.deepEqual({ ...(await load(text)) }, want));
}

for (const { name, text, key, line, expected } of [
  {
    name: "a typo",
    text: "name: a\nlimits:\n  burts: 1",
    key: "limits.burts",
    line: 3,
    expected: "a known setting (did you mean limits.burst?)",
  },
  {
    name: "an unknown section",
    text: "\nlimit: {}",
    key: "limit",
    line: 2,
    expected: "a known setting (did you mean limits?)",
  },
  {
    name: "a name that is on every object",
    text: "__proto__: { x: 1 }",
    key: "__proto__",
    line: 1,
    expected: "a known setting",
  },
  { name: "a value in place of a section", text: "limits: 5", key: "limits", line: 1, expected: "a map of settings" },
  { name: "a list at the top", text: "- a", key: "*", line: 1, expected: "a map of settings" },
  {
    name: "a duplicate key",
    text: "name: a\nname: b",
    key: "*",
    line: 2,
    expected: "YAML: Map keys must be unique",
  },
  { name: "a file that is not YAML", text: "name: [a", key: "*", line: 1, expected: /^YAML: / },
  { name: "two documents", text: "name: a\n---\nname: b", key: "*", line: 2, expected: /^YAML: / },
]) {
  test(`${name} is a problem with its line`, async () => {
    const [problem] = await problemsOf(load(text));
    assert.equal(problem?.key, key);
    assert.match(problem.source, new RegExp(`app\\.yaml:${line}$`));
    if (typeof expected === "string") assert.equal(problem.expected, expected);
    else assert.match(problem.expected, expected);
  });
}

test("aliases that multiply are refused without expanding them", async () => {
  const bomb = [
    "tags: &a0 {x: y}",
    ...Array.from({ length: 9 }, (_, i) => `b${i}: &a${i + 1} [${`*a${i},`.repeat(9)}]`),
  ];
  await problemsOf(load(`tags: {z: *a9}\n${bomb.join("\n")}`));
  await problemsOf(
    load(`name: &a [${"x,".repeat(50)}]\nlimits: { rate: &b [${"*a,".repeat(50)}], burst: [${"*b,".repeat(50)}] }`),
  );
});

test("a file over a mebibyte is refused", async () => {
  const [problem] = await problemsOf(load(`name: ${"x".repeat(1024 * 1024)}`));
  assert.equal(problem?.expected, "a file of at most 1048576 bytes");
});

test("a missing file is a problem unless it is optional, and a folder is always one", async () => {
  using dir = folder();
  mkdirSync(dir.at("folder"));
  await problemsOf(loadConfig(schema, [file(dir.at("none.yaml"))]));
  assert.deepEqual(await loadConfig(schema, [file(dir.at("none.yaml"), { optional: true })]), untouched);
  await problemsOf(loadConfig(schema, [file(dir.at("folder"), { optional: true })]));
});
