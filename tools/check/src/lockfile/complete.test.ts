import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import test from "node:test";
import { complete, missingEntries, withHashes, withoutHash } from "./complete.ts";
import type { LockPackages } from "./lock.ts";

const lock = JSON.parse(readFileSync(resolve(import.meta.dirname, "../../../../package-lock.json"), "utf8")) as {
  packages: LockPackages;
};

test("a platform package without an entry gets one that names its system", () => {
  const packages = {
    "": {},
    "node_modules/a": { version: "1.0.0", optionalDependencies: { "a-linux-x64-musl": "1.0.0" } },
  };
  assert.deepEqual(missingEntries(packages), {
    "node_modules/a-linux-x64-musl": { version: "1.0.0", cpu: ["x64"], libc: ["musl"], optional: true, os: ["linux"] },
  });
  assert.deepEqual(missingEntries(complete(packages)), {});
});

test("an entry nested in its parent counts", () => {
  const packages = {
    "node_modules/a": { optionalDependencies: { b: "1.0.0" } },
    "node_modules/a/node_modules/b": { version: "1.0.0" },
  };
  assert.deepEqual(missingEntries(packages), {});
});

test("this lock file lists the platform packages of every system", () =>
  assert.deepEqual(missingEntries(lock.packages), {}));

test("this lock file contains no download addresses", () => {
  const addresses = Object.values(lock.packages).filter((entry) => /^https?:/.test(entry.resolved ?? ""));
  assert.deepEqual(addresses, []);
});

test("every entry of this lock file has a hash", () => assert.deepEqual(withoutHash(lock.packages), []));

test("a hash goes into the entry of its release alone, behind the version", () => {
  const packages = {
    "node_modules/a": { version: "1.0.0", optional: true },
    "node_modules/b": { version: "1.0.0", integrity: "sha512-old" },
    "node_modules/b/node_modules/a": { version: "2.0.0" },
    "libs/c": { version: "0.1.0" },
  };
  assert.deepEqual(withoutHash(packages), [
    { name: "a", version: "1.0.0" },
    { name: "a", version: "2.0.0" },
  ]);
  const hashes = new Map([
    ["a@1.0.0", "sha512-new"],
    ["b@1.0.0", "sha512-other"],
  ]);
  const filled = withHashes(packages, hashes);
  assert.deepEqual(filled, {
    ...packages,
    "node_modules/a": { version: "1.0.0", integrity: "sha512-new", optional: true },
  });
  assert.deepEqual(Object.keys(filled["node_modules/a"] ?? {}), ["version", "integrity", "optional"]);
});
