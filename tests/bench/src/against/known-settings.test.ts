import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { gateway, greeter } from "../competitors/targets.ts";
import { root } from "../competitors/workshop.ts";
import { knownSettings, onlyKnown } from "./known-settings.ts";

test("a service of another checkout gets the settings that it knows, and variables that are none", () => {
  const known = knownSettings("| Variable | Key |\n|---|---|\n| `GATEWAY_HTTP_PORT` | `http.port` |\n");
  assert.deepEqual(onlyKnown({ GATEWAY_HTTP_PORT: "1", GATEWAY_AUTH_OFF: "true", GC_FILE: "gc" }, known), {
    GATEWAY_HTTP_PORT: "1",
    GC_FILE: "gc",
  });
});

test("a table without settings is refused", () => assert.throws(() => knownSettings("# Settings\n")));

test("this checkout knows every setting that the targets set", () => {
  const known = knownSettings(readFileSync(join(root, "docs/settings.md"), "utf8"));
  const parts = { root, folder: root, collector: "http://127.0.0.1:1" };
  for (const { env } of [
    gateway(parts, "full, 10 % of traces exported", "http2")(1, 2),
    greeter(parts, "full", "grpc-js")(1),
  ]) {
    assert.deepEqual(onlyKnown(env, known), env);
  }
});
