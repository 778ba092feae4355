import assert from "node:assert/strict";
import { ConfigError, type Problem } from "../src/config-error.ts";

/** Returns the problems that `work` rejects with. */
export async function problemsOf(work: Promise<unknown>): Promise<readonly Problem[]> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof ConfigError, `expected problems, got ${String(error)}`);
  return error.problems;
}
