/**
 * Builds the library in the current folder: one file in `dist` for each entry of its `exports`. Its own dependencies
 * stay imports, and shared code between entries is split out, so two entries never hold two copies of one class.
 */
import { readFileSync, rmSync } from "node:fs";
import { build } from "esbuild";
import { options } from "./options.ts";

const { exports } = JSON.parse(readFileSync("package.json", "utf8")) as { exports: Record<string, { source: string }> };

rmSync("dist", { recursive: true, force: true }); // A file of an earlier build must not survive in this one.
await build({
  ...options,
  entryPoints: Object.values(exports).map((entry) => entry.source),
  outbase: "src",
  packages: "external",
  splitting: true,
});
