import assert from "node:assert/strict";
import test from "node:test";
import { placedOf } from "./demo.ts";
import { leftBy } from "./report.ts";
import { sumOf } from "./shares.ts";

test("the placed orders are read from the demo's progress, and from no other line", () => {
  assert.equal(placedOf("placed █████░░░░░ 50/200   settled ░░░░░ 0/200"), 50);
  assert.equal(placedOf("  200 of 200 accounted for"), undefined);
});

test("a counter is summed over its series, without those whose names begin alike", () => {
  const page = [
    "# TYPE http_requests_total counter",
    'http_requests_total{code="200"} 7',
    'http_requests_total{code="503",text="a b"} 2.5',
    'http_requests_total_created{code="200"} 1700000000',
    "http_requests_total 1 1700000000000",
  ].join("\n");
  assert.equal(sumOf(page, "http_requests_total"), 10.5);
});

test("a run has left its namespaces, their volumes and releases, and what it names, but nothing of another run", () => {
  const lines = [
    "Namespace|e2e-1||",
    "Namespace|e2e-2||",
    "PersistentVolume|pv-1||e2e-1",
    "PersistentVolume|pv-2||e2e-2",
    "ClusterRole|adapter|e2e-1|",
    "ClusterRole|view||",
    "APIService|v1beta1.custom|e2e-2|",
    "CustomResourceDefinition|backends.example||",
    "",
  ].join("\n");
  assert.deepEqual(leftBy({ namespaces: ["e2e-1"] }, lines), [
    "namespace/e2e-1",
    "persistentvolume/pv-1",
    "clusterrole/adapter",
  ]);
  assert.deepEqual(leftBy({ namespaces: [], objects: ["backends.example"] }, lines), [
    "customresourcedefinition/backends.example",
  ]);
});
