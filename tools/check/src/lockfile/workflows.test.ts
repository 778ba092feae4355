import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import test from "node:test";
import { checkWorkflows } from "./workflows.ts";

const root = resolve(import.meta.dirname, "../../../..");
const commit = "a".repeat(40);
const good = `
on: { pull_request: }
permissions: { contents: read }
jobs:
  a:
    permissions: { contents: read, packages: write }
    steps:
      - uses: ./own
      - uses: a/b@${commit} # v4
      - uses: actions/checkout@${commit}
        with: { persist-credentials: false }
      - env: { TITLE: "\${{ github.event.pull_request.title }}" }
        run: echo "$TITLE"
`;

test("the workflows of this repository keep the rules", () => {
  const paths = globSync(".github/workflows/*.yml", { cwd: root });
  assert.notEqual(paths.length, 0);
  assert.deepEqual(
    checkWorkflows(Object.fromEntries(paths.map((path) => [path, readFileSync(join(root, path), "utf8")]))),
    [],
  );
});

test("a workflow that keeps the rules has no findings", () => assert.deepEqual(checkWorkflows({ "a.yml": good }), []));

for (const [name, from, to, want] of [
  ["an action by its tag", `a/b@${commit}`, "a/b@v4", "a/b@v4 is not named by its commit"],
  ["an action from an image", `a/b@${commit}`, "docker://a:1", "docker://a:1 is not named by its commit"],
  [
    "a workflow of others by its branch",
    "permissions: { contents: read, packages: write }",
    "uses: a/b/c.yml@main",
    "a/b/c.yml@main is not named by its commit",
  ],
  [
    "no permissions",
    "permissions: { contents: read }\njobs",
    "jobs",
    "permissions of the workflow are not `contents: read`: give a job more",
  ],
  [
    "permissions of all jobs to write",
    "read }\njobs",
    "write }\njobs",
    "permissions of the workflow are not `contents: read`: give a job more",
  ],
  [
    "a job with all permissions",
    "{ contents: read, packages: write }",
    "write-all",
    "a job has all permissions: name each",
  ],
  [
    "code of strangers with our rights",
    "pull_request:",
    "pull_request_target:",
    "pull_request_target runs a stranger's code with the rights of this repository",
  ],
  [
    "a token that stays",
    "with: { persist-credentials: false }",
    "with: { fetch-depth: 0 }",
    "a checkout leaves its token in the folder: persist-credentials: false",
  ],
  [
    "a title inside a script",
    'echo "$TITLE"',
    "echo ${{ github.event.pull_request.title }}",
    "an expression inside a script (echo ${{ github.event.pull_request.title }}): hand it over by env",
  ],
] as const) {
  test(`refused: ${name}`, () => {
    assert.ok(good.includes(from));
    assert.deepEqual(checkWorkflows({ "a.yml": good.replace(from, to) }), [`a.yml: ${want}`]);
  });
}
