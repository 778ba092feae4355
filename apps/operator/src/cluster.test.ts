/**
 * The operator in a real cluster. `PLUMBLINE_CLUSTER` names a folder with the program `in`, which
 * runs a command in the cluster's network.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { test } from "node:test";

const cluster = process.env["PLUMBLINE_CLUSTER"];
const skip = cluster === undefined && "no cluster: PLUMBLINE_CLUSTER names the folder of none";

void test("the operator keeps resources against a real API server", { skip, timeout: 600_000 }, async (t) => {
  const program = join(import.meta.dirname, "../test/in-cluster.ts");
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const child = spawn(join(cluster ?? "", "in"), [process.execPath, "-C", "source", program], { env });
  t.after(() => child.kill());
  const chunks: Buffer[] = [];
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk: Buffer) => chunks.push(chunk));
  const [code] = (await once(child, "close")) as [number | null];
  const output = Buffer.concat(chunks).toString();
  assert.equal(code, 0, output);
  t.diagnostic(
    output
      .split("\n")
      .filter((line) => /^(ℹ|#) (tests|pass|fail|skipped)/.test(line))
      .join(", "),
  );
});
