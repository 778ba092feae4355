import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import type { Claim } from "./claim.ts";
import { renderPage } from "./page.ts";
import { proveRepository } from "./prove-repository.ts";

const claims: readonly Claim[] = [
  { claim: "It greets", command: "echo hello 42 ms", prints: "hello", figure: /\d+ ms/, cost: "fast" },
];
// This stack answers /ok with 200 and everything else with 404.
const stack = `
import { createServer } from "node:http";
const port = Number(process.argv[process.argv.indexOf("--ports-from") + 1]);
createServer((request, response) => {
  response.statusCode = request.url === "/ok" ? 200 : 404;
  response.end("you asked for " + request.url);
}).listen(port, () => console.log("Ready after 0.1 s."));
`;

for (const { name, block, want } of [
  {
    name: "a block that does what it says passes",
    block: "curl http://localhost:8080/ok # => asked for /ok",
    want: undefined,
  },
  {
    name: "a block that gets an error status fails",
    block: "curl http://localhost:8080/gone",
    want: /README.md:3: ended with 22/,
  },
  { name: "a block that prints something else fails", block: "echo a # => b", want: /README.md:3: did not print "b"/ },
  {
    name: "a command in the middle of a block that fails stops it",
    block: "false\necho a",
    want: /README.md:3: ended with 1/,
  },
  { name: "a block that writes a file of the repository fails", block: "echo > new.txt", want: /changed files/ },
]) {
  test(name, async () => {
    using repository = temporaryRepository(`# A\n\n\`\`\`sh run\n${block}\n\`\`\`\n`);
    const { failures, lines } = await prove(repository.root);
    assert.equal(failures, want === undefined ? 0 : 1, lines);
    if (want !== undefined) assert.match(lines, want);
  });
}

test("a stack that does not start fails", async () => {
  using repository = temporaryRepository("```sh run\ntrue\n```\n");
  writeFileSync(join(repository.root, "stack.mjs"), "console.log('port in use'); process.exitCode = 1;");
  const { failures, lines } = await prove(repository.root);
  assert.equal(failures, 1);
  assert.match(lines, /the stack did not start.*port in use/s);
});

for (const { name, page, want } of [
  { name: "a script that does not exist fails", page: "Run `npm run nosuch`.\n", want: /has no script nosuch/ },
  { name: "an unknown word behind sh fails", page: "```sh runs\ntrue\n```\n", want: /unknown word "runs"/ },
  { name: "a shell block in another language fails", page: "```bash\ntrue\n```\n", want: /shell blocks are "sh"/ },
]) {
  test(name, async () => {
    using repository = temporaryRepository(page);
    const { failures, lines } = await prove(repository.root);
    assert.equal(failures, 1);
    assert.match(lines, want);
  });
}

test("a page of a template may name scripts that do not exist yet", async () => {
  using repository = temporaryRepository("");
  mkdirSync(join(repository.root, "tools/generate/template"), { recursive: true });
  writeFileSync(join(repository.root, "tools/generate/template/README.md"), "Run `npm run nosuch`.\n");
  const { failures, lines } = await prove(repository.root);
  assert.equal(failures, 0, lines);
});

test("a claim whose command fails is a failure, and its output is shown", async () => {
  using repository = temporaryRepository("");
  const failing: Claim = { claim: "It greets", command: "echo details; exit 3", cost: "fast" };
  const { failures, lines } = await prove(repository.root, { chosen: [failing] });
  assert.equal(failures, 1);
  assert.match(lines, /details[^]*failed .*the command ended with 3/);
});

test("a page that differs from the list fails, and is written only when asked", async () => {
  using repository = temporaryRepository("");
  const file = join(repository.root, "docs/claims.md");
  writeFileSync(file, "old\n");
  assert.equal((await prove(repository.root)).failures, 1);
  assert.equal(readFileSync(file, "utf8"), "old\n");
  assert.equal((await prove(repository.root, { write: true })).failures, 0);
  assert.match(readFileSync(file, "utf8"), /\| It greets \| .* \| 42 ms \| \d{4}-\d\d-\d\d \|/);
  assert.equal((await prove(repository.root)).failures, 0);
});

async function prove(root: string, options: { chosen?: readonly Claim[]; write?: boolean } = {}) {
  const lines: string[] = [];
  const failures = await proveRepository({
    root,
    claims,
    chosen: options.chosen ?? claims,
    pages: true,
    write: options.write ?? false,
    log: (line) => lines.push(line),
  });
  return { failures, lines: lines.join("\n") };
}

function temporaryRepository(readme: string) {
  const root = mkdtempSync(join(tmpdir(), "plumbline-prove-"));
  mkdirSync(join(root, "docs"));
  mkdirSync(join(root, "tools/check/src/claims"), { recursive: true });
  writeFileSync(join(root, "tools/check/src/claims/list.ts"), "");
  writeFileSync(join(root, "docs/claims.md"), renderPage(claims, new Map()));
  writeFileSync(join(root, "README.md"), readme);
  writeFileSync(join(root, "stack.mjs"), stack);
  const scripts = { start: "node stack.mjs", claims: "true", test: "true" };
  writeFileSync(join(root, "package.json"), JSON.stringify({ name: "root", scripts }));
  for (const args of [
    ["init", "-q"],
    ["add", "-A"],
  ])
    execFileSync("git", args, { cwd: root });
  return { root, [Symbol.dispose]: () => rmSync(root, { recursive: true }) };
}
