import assert from "node:assert/strict";
import { test } from "node:test";
import { isServiceError } from "@plumbline/errors";
import { startEtcdCluster, whyNoEtcdServer } from "@plumbline/tools-engines";
import { faults, roundsOf } from "../test/cluster-faults.ts";
import { openEtcd } from "./etcd.ts";

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

test("a watch at a member that has lost its majority ends, although the member still answers", {
  skip: whyNoEtcdServer() ?? false,
  timeout: 90_000,
}, async () => {
  await using cluster = await startEtcdCluster();
  const [reached, ...others] = cluster.members;
  await using etcd = openEtcd({ endpoints: [reached?.url ?? ""] });
  const watching = (async () => {
    for await (const _ of etcd.watch({ key: "a" }, { from: 0n, signal: AbortSignal.timeout(60_000) })) {
      for (const member of others) await member.pause();
    }
  })();
  try {
    // Not by silence: without a leader the member goes on to answer requests for progress.
    await assert.rejects(watching, (error) => isServiceError(error) && /no leader/.test(error.message));
  } finally {
    for (const member of others) await member.resume();
  }
});
