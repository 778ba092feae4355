/**
 * The resolver, writes and leases in a real cluster. `PLUMBLINE_CLUSTER` names a folder with the
 * program `in`, which runs a command in the cluster's network.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { type TestContext, test } from "node:test";

const cluster = process.env["PLUMBLINE_CLUSTER"];
const skip = cluster === undefined && "no cluster: PLUMBLINE_CLUSTER names the folder of none";

for (const [what, file] of [
  ["the resolver passes its suite", "in-cluster.ts"],
  ["writes, events and leases hold", "in-cluster-writes.ts"],
] as const) {
  void test(`${what} against a real API server`, { skip, timeout: 600_000 }, (t) => runInside(t, file));
}

async function runInside(t: TestContext, file: string): Promise<void> {
  const program = join(import.meta.dirname, "../test", file);
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
}
