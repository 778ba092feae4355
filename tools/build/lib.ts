/**
 * Builds the library in the current folder: one file in `dist` for each entry of its `exports`.
 * Dependencies stay imports. Code that entries share is split out, so that no class exists twice.
 */
import { readFileSync, rmSync } from "node:fs";
import { build } from "esbuild";
import { options } from "./options.ts";

const { exports } = JSON.parse(readFileSync("package.json", "utf8")) as { exports: Record<string, { source: string }> };

rmSync("dist", { recursive: true, force: true }); // No file of an earlier build may remain.
await build({
  ...options,
  entryPoints: Object.values(exports).map((entry) => entry.source),
  outbase: "src",
  packages: "external",
  splitting: true,
});
