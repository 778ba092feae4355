import assert from "node:assert/strict";
import { test } from "node:test";
import { startEtcdCluster, whyNoEtcdServer } from "@plumbline/tools-engines";
import { faults, roundsOf } from "../test/cluster-faults.ts";

test("on a cluster of three, watches, leases and settings miss nothing through any fault", {
  skip: whyNoEtcdServer() ?? false,
  timeout: 300_000,
}, async (t) => {
  await using cluster = await startEtcdCluster();
  const seen: string[] = [];
  for await (const { fault, tookMs, limitMs } of roundsOf(cluster, faults)) {
    seen.push(fault);
    t.diagnostic(`${fault}: all changes were seen after ${tookMs.toFixed(0)} ms; at most ${limitMs}`);
  }
  assert.deepEqual(
    seen,
    faults.map(({ name }) => name),
  );
});
