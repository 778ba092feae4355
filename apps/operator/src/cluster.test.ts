/**
 * The operator in a real cluster. `PLUMBLINE_CLUSTER` names a folder with the program `in`, which
 * runs a command in the cluster's network.
 */
import { join } from "node:path";
import { test } from "node:test";
import { runInCluster, whyNoCluster } from "@plumbline/tools-engines";

void test("the operator keeps resources against a real API server", { skip: whyNoCluster, timeout: 600_000 }, (t) =>
  runInCluster(t, join(import.meta.dirname, "../test/in-cluster.ts")),
);
