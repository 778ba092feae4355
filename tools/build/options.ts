import { globSync } from "node:fs";
import type { BuildOptions } from "esbuild";

/**
 * What every build shares: modern Node, ES modules, source maps beside the code. Names stay as they are, since nothing is
 * minified; esbuild's `keepNames` would define the name of each closure anew whenever one is made.
 */
export const options = {
  bundle: true,
  outdir: "dist",
  platform: "node",
  target: "node26",
  format: "esm",
  conditions: ["source"],
  sourcemap: true,
  legalComments: "external",
  logLevel: "warning",
} satisfies BuildOptions;

/** The bundle of the app in the current folder. */
export function appOptions() {
  return {
    ...options,
    entryPoints: ["src/main.ts", ...globSync("src/**/*-thread.ts")],
    entryNames: "[name]",
    // CommonJS dependencies inside an ES module call `require` for Node's own modules.
    banner: {
      js: 'import { createRequire as $createRequire } from "node:module"; const require = $createRequire(import.meta.url);',
    },
    // Packages load these if somebody installed them. We did not: found here, they are of some tool's, by chance.
    external: ["pg-native", "supports-color"],
  } satisfies BuildOptions;
}
