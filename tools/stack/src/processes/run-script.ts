import { spawn } from "node:child_process";
import { compileCache } from "./compile-cache.ts";
import type { Environment } from "./programs.ts";

/** Generates the contracts from protos/: what imports them must be loaded afterwards. */
export async function generateContracts(root: string): Promise<void> {
  await runScript(root, "libs/contracts/src/generate.ts", [], {});
}

/** Runs a script to its end. Rejects with its output when it fails. */
export function runScript(
  root: string,
  entry: string,
  args: readonly string[],
  environment: Environment,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ["-C", "source", entry, ...args], {
      cwd: root,
      env: { ...process.env, ...compileCache(root), ...environment },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let output = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (text: string) => {
        output = (output + text).slice(-8_000);
      });
    }
    child.once("error", reject);
    child.once("close", (code) => {
      if (code === 0) resolve();
      else reject(new Error(`${entry} ${args.join(" ")} failed with exit code ${code}:\n${output}`));
    });
  });
}
