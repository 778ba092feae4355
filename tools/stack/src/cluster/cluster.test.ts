import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after, describe } from "node:test";
import { sleep } from "@plumbline/concurrency";
import { type ClusterStack, openCluster } from "./open-cluster.ts";
import { reachCluster, testCluster } from "./reach.ts";

test("without a test cluster a context must be named", () => {
  assert.throws(() => reachCluster(undefined, false), /UsageError: name the cluster: --context NAME/);
  assert.equal(reachCluster("staging", false).isDirect, false);
});

test("a folder that holds no test cluster is refused with what it lacks", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "plumbline-cluster-"));
  t.after(() => rmSync(folder, { recursive: true }));
  for (const name of ["up", "down", "in"]) writeFileSync(join(folder, name), "");
  const before = process.env["PLUMBLINE_CLUSTER"];
  process.env["PLUMBLINE_CLUSTER"] = folder;
  try {
    assert.throws(() => testCluster(), /has no command load-image$/);
  } finally {
    if (before === undefined) delete process.env["PLUMBLINE_CLUSTER"];
    else process.env["PLUMBLINE_CLUSTER"] = before;
  }
});

const skip =
  process.env["PLUMBLINE_CLUSTER_INSIDE"] !== "1" &&
  "not in the network of a test cluster: PLUMBLINE_CLUSTER_INSIDE=1 $PLUMBLINE_CLUSTER/in node --test ...";
if (skip !== false) test("the stack runs in pods", { skip }, () => undefined);
else describe("in pods", inPods);

function inPods(): void {
  let stack: ClusterStack;
  const opening = openCluster({
    reach: reachCluster(undefined, true),
    namespace: `plumbline-stack-${process.pid}`,
    tag: process.env["PLUMBLINE_TAG"] ?? "dev",
    isFixed: true,
  });
  after(async () => (await opening)[Symbol.asyncDispose]());
  const answers = async () => {
    const [gateway = ""] = await stack.gateways();
    return (await fetch(`${gateway}/v1/greetings/world`)).status;
  };

  test("it answers once it is open", async () => {
    stack = await opening;
    assert.equal(await answers(), 200);
    assert.deepEqual(stack.warnings, []);
  });

  test("a restarted pod ends with 0, and another is ready", async () => {
    const [replica] = await stack.replicas("gateway");
    assert.ok(replica);
    const ended = await stack.restart(replica);
    assert.deepEqual(ended, { ...replica, code: 0, clean: true });
    assert.equal(await answers(), 200);
  });

  test("a killed service stays down until the stack is up again, with as many pods as asked for", async () => {
    await stack.kill("greeter");
    assert.deepEqual(await stack.replicas("greeter"), []);
    assert.equal(await answers(), 503);
    await stack.up({ greeter: 2 });
    assert.equal((await stack.replicas("greeter")).length, 2);
    // A gateway asks DNS again after a pause.
    const until = performance.now() + 60_000;
    while ((await answers()) !== 200) {
      assert.ok(performance.now() < until, "the gateway did not find the new pods within 60 s");
      await sleep(200);
    }
  });

  test("a stop ends every pod in good order", async () => {
    const ended = await stack.stop();
    assert.deepEqual(
      ended.filter(({ service, clean }) => !clean && service !== "redis"),
      [],
    );
    assert.equal(ended.length, 9);
  });
}
