import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import test from "node:test";
import { parse } from "yaml";

const root = resolve(import.meta.dirname, "../../..");
const workflow = parse(readFileSync(join(root, ".github/workflows/ci.yml"), "utf8")) as {
  readonly concurrency: { readonly group: string };
  readonly jobs: { readonly affected: { readonly steps: readonly { readonly run?: string }[] } };
};
const testing = workflow.jobs.affected.steps.map(({ run = "" }) => run).find((script) => script.includes("npm test"));

/** Runs the step of the tests as GitHub does, with an Nx that finds these projects, or fails. */
function runTesting(projects: string | undefined) {
  const bin = mkdtempSync(join(tmpdir(), "ci-workflow-"));
  try {
    writeFileSync(join(bin, "npx"), projects === undefined ? "#!/bin/sh\nexit 1\n" : `#!/bin/sh\necho "${projects}"\n`);
    writeFileSync(join(bin, "npm"), '#!/bin/sh\necho "npm $*"\n');
    for (const program of ["npx", "npm"]) chmodSync(join(bin, program), 0o755);
    const env = { PATH: `${bin}:${process.env["PATH"]}` };
    const { status, stdout } = spawnSync("bash", ["-e", "-c", testing ?? ""], { encoding: "utf8", env });
    return [status, stdout.trim()];
  } finally {
    rmSync(bin, { recursive: true });
  }
}

test("CI tests the projects that a change reaches", () => {
  assert.deepEqual(runTesting("@plumbline/orders,@plumbline/rpc"), [
    0,
    "npm test -- --projects=@plumbline/orders,@plumbline/rpc",
  ]);
});

test("CI passes a change that reaches no project with tests", () => assert.deepEqual(runTesting(""), [0, ""]));

test("CI fails if the projects are not known", () => assert.deepEqual(runTesting(undefined), [1, ""]));

test("a push does not end the run of the push before it, whose commits no later run would test", () => {
  assert.match(workflow.concurrency.group, /github\.event_name == 'pull_request' && github\.ref \|\| github\.sha/);
});
