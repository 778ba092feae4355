import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { version } from "./version.ts";

const root = join(import.meta.dirname, "../../..");
const read = (path: string) => readFileSync(join(root, path), "utf8");

test("the version in metrics is that of the packages and of the charts", () => {
  for (const path of ["package.json", "apps/gateway/package.json", "apps/worker/package.json"]) {
    assert.equal((JSON.parse(read(path)) as { version: string }).version, version, path);
  }
  assert.ok(read("apps/greeter-go/internal/telemetry/telemetry.go").includes(`version = "${version}"`), "greeter-go");
  for (const chart of ["plumbline", "plumbline-operator"]) {
    assert.ok(read(`deploy/helm/${chart}/Chart.yaml`).includes(`appVersion: "${version}"`), chart);
  }
});

test("every service starts its telemetry with the version", () => {
  for (const name of ["control-plane", "gateway", "greeter", "operator", "orders", "worker"]) {
    assert.match(read(`apps/${name}/src/main.ts`), /startTelemetry\(\{ service: name, version, /, name);
  }
});
