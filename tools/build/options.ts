import { rmSync } from "node:fs";
import type { BuildOptions } from "esbuild";

rmSync("dist", { recursive: true, force: true }); // A file of an earlier build must not survive in this one.

/** What every build shares: modern Node, ES modules, source maps beside the code, names kept for readable stacks. */
export const options = {
  bundle: true,
  outdir: "dist",
  platform: "node",
  target: "node26",
  format: "esm",
  conditions: ["source"],
  sourcemap: true,
  keepNames: true,
  legalComments: "external",
  logLevel: "warning",
} satisfies BuildOptions;
