import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import test from "node:test";
import { complete, type LockPackages, missingEntries } from "./complete.ts";

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
