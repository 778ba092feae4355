import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { codes } from "@plumbline/errors";
import { statusOf, statusOfReason } from "../src/http/status.ts";

// The formatter pads tables.
const readme = readFileSync(join(import.meta.dirname, "../README.md"), "utf8").replace(/ +/g, " ");

test("the README's table of codes matches the code", () => {
  const rows = [...readme.matchAll(/`([a-z_]+)` \| (\d{3})(?= \|)/g)].map(([, code, status]) => [code, Number(status)]);
  const actual = codes.map((code) => [code, statusOf(code, undefined)]);
  assert.deepEqual(Object.fromEntries(rows), Object.fromEntries(actual));
});

test("the README's table of reasons matches the code", () => {
  const rows = [...readme.matchAll(/^\| `([A-Z_*]+)` \| (\d{3}) \| (.+) \|$/gm)].map(([, reason = "", status, why]) => [
    reason,
    Number(status),
    why,
  ]);
  const actual = statusOfReason.map(({ reason, status, why }) => [
    reason.source.replace(/[\^$]/g, "").replaceAll("[A-Z0-9_]+", "*"),
    status,
    why,
  ]);
  assert.deepEqual(rows, actual);
});
