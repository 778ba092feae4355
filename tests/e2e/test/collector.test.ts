import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { hasContainer } from "@plumbline/tools-engines";
import { root } from "../src/stack.ts";

const image =
  /image: (otel\/\S+)/.exec(readFileSync(join(root, "deploy/compose/observability.yml"), "utf8"))?.[1] ?? "";

test("the collector accepts its configuration", {
  skip: hasContainer(image) ? false : `needs Docker with the image ${image} (TEST_ENGINES=docker allows pulling it)`,
}, () => {
  const mount = `${join(root, "deploy/observability/collector.yaml")}:/collector.yaml:ro`;
  const args = ["run", "--rm", "--network=none", "-v", mount, image, "validate", "--config=/collector.yaml"];
  const { status, stderr } = spawnSync("docker", args, { encoding: "utf8", timeout: 120_000 });
  assert.equal(status, 0, stderr);
});
