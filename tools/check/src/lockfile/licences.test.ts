import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import test from "node:test";
import type { Licensed } from "@plumbline/tools-build/licence";
import { allows, checkLicences, freeLicences } from "./licences.ts";

const root = resolve(import.meta.dirname, "../../../..");
const manifest = (path: string): Licensed | undefined => {
  try {
    return JSON.parse(readFileSync(join(root, path, "package.json"), "utf8"));
  } catch {
    return undefined;
  }
};

test("every package of this lock file has a licence of the list", () => {
  const { packages } = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8"));
  assert.deepEqual(checkLicences(packages, manifest), []);
});

test("an expression is allowed if one choice is, with all of its parts", () => {
  const allowed = new Set(["MIT", "ISC"]);
  for (const expression of [
    "MIT",
    "(MIT)",
    "MIT OR GPL-3.0",
    "GPL-3.0 OR MIT",
    "MIT AND ISC",
    "(GPL-3.0 OR ISC) AND MIT",
  ])
    assert.equal(allows(allowed, expression), true, expression);
  for (const expression of [
    "GPL-3.0",
    "MIT AND GPL-3.0",
    "GPL-3.0 AND MIT",
    "MIT AND (GPL-3.0 OR AGPL-3.0)",
    "GPL-3.0 OR ISC AND GPL-3.0",
    "MIT WITH an-exception",
    "SEE LICENSE IN LICENSE",
    "UNLICENSED",
    "MIT MIT",
    "(MIT",
    "MIT OR",
    "",
  ])
    assert.equal(allows(allowed, expression), false, expression);
});

const a = { version: "1.0.0", integrity: "x" };
for (const { name, packages, manifests = {}, want } of [
  {
    name: "a licence that is not on the list",
    packages: { "node_modules/a": { ...a, license: "AGPL-3.0-only" } },
    want: ["a@1.0.0: its licence AGPL-3.0-only is not on the list in licences.ts"],
  },
  {
    name: "a licence that stands in the manifest alone",
    packages: { "node_modules/a": a },
    manifests: { "node_modules/a": { licenses: [{ type: "MIT" }] } },
    want: [],
  },
  {
    name: "a licence of the manifest that is not on the list",
    packages: { "node_modules/a": a },
    manifests: { "node_modules/a": { license: { type: "SSPL-1.0" } } },
    want: ["a@1.0.0: its licence SSPL-1.0 is not on the list in licences.ts"],
  },
  {
    name: "no licence",
    packages: { "node_modules/a": a },
    want: ["a@1.0.0: names no licence: read its text, or take another package"],
  },
  {
    name: "a package for another platform, which is not here",
    packages: {
      "node_modules/a": { ...a, license: "MIT", optionalDependencies: { "a-darwin": "1.0.0" } },
      "node_modules/a-darwin": a,
    },
    want: [],
  },
  {
    name: "a package for another platform of one with a wrong licence",
    packages: {
      "node_modules/a": { ...a, license: "BUSL-1.1", optionalDependencies: { "a-darwin": "1.0.0" } },
      "node_modules/a-darwin": a,
    },
    want: ["a@1.0.0", "a-darwin@1.0.0"].map((one) => `${one}: its licence BUSL-1.1 is not on the list in licences.ts`),
  },
] as const) {
  test(`licences: ${name}`, () =>
    assert.deepEqual(
      checkLicences(packages, (path) => (manifests as Record<string, Licensed>)[path], freeLicences),
      want,
    ));
}
