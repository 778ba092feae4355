import assert from "node:assert/strict";
import test from "node:test";
import { checkFile, isChecked } from "./check-file.ts";

const problems = (path: string, source: string) =>
  checkFile(path, source).map(({ line, problem }) => `${line}: ${problem}`);
const long = `${"word ".repeat(20)}end`;

for (const { name, path, source, want } of [
  {
    name: "a banned phrase in a comment is found with its line",
    path: "a.ts",
    source: "/**\n * Waits for\n * the reply. It waits for ever.\n */\n",
    want: ['3: banned phrase "for ever"'],
  },
  {
    name: "a banned phrase that a line break splits is found",
    path: "a.md",
    source: "It waits for\never.\n",
    want: ['1: banned phrase "for ever"'],
  },
  {
    name: "a banned phrase in the text of an error is found",
    path: "a.ts",
    source: 'throw new Error("Nobody answers");\n',
    want: ['1: banned phrase "nobody"'],
  },
  {
    name: "a banned phrase in a template is found, also after a placeholder",
    path: "a.ts",
    source: 'const text = `a ${`b ${"c d"}`} was told`; // Fine.\n',
    want: ['1: banned phrase "told"'],
  },
  {
    name: "a banned phrase in the name of a Go test is found",
    path: "a_test.go",
    source: 't.Run("a call is heard", func() {})\n',
    want: ['1: banned phrase "heard"'],
  },
  {
    name: "a banned phrase in a value of YAML is found",
    path: "a.yml",
    source: "summary: clients come again\n",
    want: ['1: banned phrase "come again"'],
  },
  {
    name: "a banned phrase in a table is found",
    path: "a.md",
    source: "| a |\n|---|\n| taken for dead |\n",
    want: ['3: banned phrase "taken for"'],
  },
  {
    name: "a doc comment that starts with a noun clause is found",
    path: "a.ts",
    source: "/** What it returns. */\nconst a = 1;\n",
    want: ['1: a comment has a sentence that starts with "What"'],
  },
  {
    name: "a later sentence that starts with a noun clause is found",
    path: "a.ts",
    source: "// Returns the name.\n// Whether it is known does not matter.\n",
    want: ['2: a comment has a sentence that starts with "Whether"'],
  },
  {
    name: "a list item in a doc comment starts a sentence",
    path: "a.ts",
    source: "/**\n * Returns:\n * - Whose call it is.\n */\n",
    want: ['3: a comment has a sentence that starts with "Whose"'],
  },
  {
    name: "a comment of a proto is a doc comment",
    path: "a.proto",
    source: "// Of the customer.\nstring name = 1;\n",
    want: ['1: a comment has a sentence that starts with "Of"'],
  },
  {
    name: "a sentence of a page that starts with a noun clause is found",
    path: "a.md",
    source: "Text. Where it goes\nis not known.\n",
    want: ['1: a paragraph has a sentence that starts with "Where"'],
  },
  {
    name: "a test name that starts with a noun clause is found",
    path: "a.test.ts",
    source: 'test("what a client sends is kept", () => {});\n',
    want: ['1: a test name has a sentence that starts with "what"'],
  },
  {
    name: "a setting's description that starts with a noun clause is found",
    path: "a.ts",
    source: 'z.string().describe(\n  "how long it takes",\n);\n',
    want: ['2: a description has a sentence that starts with "how"'],
  },
  {
    name: "a log message that starts with a noun clause is found",
    path: "a.ts",
    source: 'logger.warn("whose call this is", {});\n',
    want: ['1: a message has a sentence that starts with "whose"'],
  },
  {
    name: "a comment line that is too long is found",
    path: "a.ts",
    source: `// ${long}\n`,
    want: ["1: 106 characters; 100 are allowed"],
  },
  {
    name: "a comment line of a shell script that is too long is found",
    path: "a.sh",
    source: `true\n# ${long}\n`,
    want: ["2: 105 characters; 100 are allowed"],
  },
  {
    name: "a line of a page that is too long is found",
    path: "a.md",
    source: `# Title\n\n${long}\n`,
    want: ["3: 103 characters; 100 are allowed"],
  },
  {
    name: "a paragraph of a README with more than four sentences is found",
    path: "libs/a/README.md",
    source: "One. Two. Three.\nFour. Five.\n",
    want: ["1: a paragraph of 5 sentences; 4 are allowed"],
  },
]) {
  test(name, () => assert.deepEqual(problems(path, source), want));
}

for (const { name, path, source } of [
  { name: "the start of a question is allowed", path: "a.md", source: "What is it? A tool.\n" },
  { name: "a heading may start with any word", path: "a.md", source: "## What it is not\n" },
  {
    name: "the titles of a table may start with any word",
    path: "a.md",
    source: "| What | Why |\n|---|---|\n| a | b |\n",
  },
  { name: "a word inside a longer word is not a banned phrase", path: "a.ts", source: "// Overheard and retold.\n" },
  { name: "a name in code is not prose", path: "a.md", source: "Call `nobody told` first.\n" },
  { name: "a block of code on a page is not prose", path: "a.md", source: `\`\`\`sh\n# told ${long}\n\`\`\`\n` },
  { name: "a row of a table may be long", path: "a.md", source: `| a |\n|---|\n| ${long} |\n` },
  {
    name: "the target of a link does not count for the length of its line",
    path: "a.md",
    source: `A [link](${"x".repeat(90)}.md) and https://example.com/${"y".repeat(90)}\n`,
  },
  { name: "a long line of code is left to the formatter", path: "a.ts", source: `f("${long}");\n` },
  { name: "a comment after code is left to the formatter", path: "a.ts", source: `f(1, 2, 3); // ${long}\n` },
  { name: "a comment for a tool may be long", path: "a.ts", source: `// oxlint-disable-next-line ${long}\n` },
  {
    name: "a regular expression is not a comment",
    path: "a.ts",
    source: 'const a = b.replace(/["\'`]\\/\\/ told/, "");\n',
  },
  { name: "a rune of Go is not the start of a string", path: "a.go", source: "a := '\"'; b := '\\''; told := 1\n" },
  { name: "a string without a space is a name", path: "a.ts", source: 'const a = "told";\n' },
  {
    name: "a README's paragraph may have four sentences",
    path: "README.md",
    source: "One. Two, e.g. this. Three.\nFour.\n",
  },
  { name: "a text that is no description may start with any word", path: "a.ts", source: 'query("where id = 1");\n' },
]) {
  test(name, () => assert.deepEqual(problems(path, source), []));
}

test("a comment after a string with a comment sign in it is read", () =>
  assert.deepEqual(problems("a.ts", 'const a = "http://x y"; // It is told.\n'), ['1: banned phrase "told"']));

test("generated files and those of other projects are not read", () => {
  const paths = ["libs/a/src/gen/a.ts", "a/b.pb.go", "protos/third_party/x/a.proto", "package-lock.json", "a.png"];
  assert.deepEqual(paths.filter(isChecked), []);
  assert.equal(["a.ts", "b/c.md", "deploy/docker/Dockerfile", ".github/workflows/a.yml"].every(isChecked), true);
});
