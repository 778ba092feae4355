import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import type { TestContext } from "node:test";

const folder = process.env["PLUMBLINE_CLUSTER"];

/** Why no test runs in a Kubernetes cluster; false if PLUMBLINE_CLUSTER names the folder of one. */
export const whyNoCluster = folder === undefined && "no cluster: PLUMBLINE_CLUSTER names the folder of none";

/**
 * Runs a test program in the network of the cluster, by the cluster's command `in`. Rejects with
 * the program's output if it fails.
 */
export async function runInCluster(t: TestContext, program: string): Promise<void> {
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const child = spawn(join(folder ?? "", "in"), [process.execPath, "-C", "source", program], { env });
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
}
