import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import test from "node:test";
import { clusterRows, ownServices, profileRows } from "@plumbline/tools-stack";
import { parse } from "yaml";

interface Step {
  readonly name?: string;
  readonly run?: string;
  readonly uses?: string;
  readonly with?: Readonly<Record<string, unknown>>;
}
interface Job {
  readonly needs?: string;
  readonly permissions: Readonly<Record<string, string>>;
  readonly strategy?: { readonly matrix: { readonly service: readonly string[] } };
  readonly steps: readonly Step[];
}

const root = resolve(import.meta.dirname, "../../..");
const read = (path: string) => readFileSync(join(root, path), "utf8");
const { jobs, defaults } = parse(read(".github/workflows/release.yml")) as {
  readonly defaults: { readonly run: { readonly shell: string } };
  readonly jobs: { readonly images: Job; readonly notes: Job };
};
const steps = jobs.images.steps;
const indexOf = (part: string) => {
  const index = steps.findIndex(({ run = "", uses = "" }) => `${run}${uses}`.includes(part));
  assert.notEqual(index, -1, part);
  return index;
};

test("a release has an image of each service that is ours", () => {
  const ours = [...ownServices, ...profileRows, ...clusterRows].map(({ name }) => name);
  assert.deepEqual([...(jobs.images.strategy?.matrix.service ?? [])].toSorted(), ours.toSorted());
});

test("an image is checked before it is built, and verified after it is signed", () => {
  const order = [
    "git merge-base --is-ancestor",
    "npm run check -- packages bundles",
    "npm run signing -- prove",
    "cosign verify",
    "docker buildx bake",
    "sha256sum --check --strict",
    "actions/attest-build-provenance@",
    "npm run signing -- sign",
    "npm run signing -- verify",
  ].map(indexOf);
  assert.deepEqual(
    order,
    order.toSorted((a, b) => a - b),
  );
  assert.equal(order.at(-1), steps.length - 1);
  assert.equal(jobs.notes.needs, "images");
});

test("verification names this workflow at this tag, and GitHub's issuer", () => {
  const { run = "" } = steps.at(-1) ?? {};
  assert.match(
    run,
    /--identity "\$GITHUB_SERVER_URL\/\$GITHUB_REPOSITORY\/\.github\/workflows\/release\.yml@\$GITHUB_REF"/,
  );
  assert.match(run, /--issuer https:\/\/token\.actions\.githubusercontent\.com/);
  assert.match(run, /--bill "apps\/\$SERVICE\/dist\/sbom\.cdx\.json"/);
});

test("each job has no more rights than it needs", () => {
  const images = { contents: "read", packages: "write", "id-token": "write", attestations: "write" };
  assert.deepEqual(jobs.images.permissions, images);
  assert.deepEqual(jobs.notes.permissions, { contents: "write", packages: "read" });
});

test("no step of a release uses a cache that another run has written", () => {
  for (const step of [...steps, ...jobs.notes.steps])
    assert.doesNotMatch(JSON.stringify(step), /"cache"|cache-from|actions\/cache/);
});

test("cosign is the version that tools/signing names, and a pipe fails with its first program", () => {
  const [, version] = /cosignVersion = "([^"]+)"/.exec(read("tools/signing/src/cosign.ts")) ?? [];
  assert.equal(steps[indexOf("sigstore/cosign-installer@")]?.with?.["cosign-release"], `v${version}`);
  assert.equal(defaults.run.shell, "bash");
});

test("no build argument is a secret: provenance publishes them", () => {
  const named = [...read("deploy/docker/node.Dockerfile").matchAll(/^ARG (\w+)/gm)].map(([, name]) => name);
  const known = ["APP", "BUILD_IMAGE", "RUNTIME_IMAGE", "VERSION", "REVISION", "SOURCE"];
  assert.deepEqual([...new Set(named)].toSorted(), known.toSorted());
});

for (const { tag, onMain, status } of [
  { tag: "v1.2.3", onMain: true, status: 0 },
  { tag: "v1.2.4", onMain: true, status: 1 },
  { tag: "v1.2.3", onMain: false, status: 1 },
]) {
  test(`version 1.2.3 as ${tag}${onMain ? "" : ", beside main"}: ${status === 0 ? "goes on" : "ends"}`, () => {
    const folder = mkdtempSync(join(tmpdir(), "release-workflow-"));
    try {
      writeFileSync(join(folder, "package.json"), '{ "version": "1.2.3" }');
      writeFileSync(
        join(folder, "git"),
        `#!/bin/sh\n[ "$*" = "merge-base --is-ancestor abc origin/main" ] && ${onMain}\n`,
        {
          mode: 0o755,
        },
      );
      const env = { PATH: `${folder}:${process.env["PATH"]}`, GITHUB_SHA: "abc", GITHUB_REF_NAME: tag };
      const script = steps[indexOf("git merge-base")]?.run ?? "";
      assert.equal(spawnSync("bash", ["-eo", "pipefail", "-c", script], { cwd: folder, env }).status, status);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
}
