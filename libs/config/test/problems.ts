import assert from "node:assert/strict";
import { ConfigError, type Problem } from "../src/config-error.ts";

/** The problems that `work` is refused for. */
export async function problemsOf(work: Promise<unknown>): Promise<readonly Problem[]> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof ConfigError, `no problem was found, but ${String(error)}`);
  return error.problems;
}
