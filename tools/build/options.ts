import { globSync } from "node:fs";
import { createRequire } from "node:module";
import type { BuildOptions } from "esbuild";

const messaging = createRequire(new URL("../../libs/messaging/package.json", import.meta.url));

/**
 * The options of every build: modern Node, ES modules, source maps beside the code. Nothing is
 * minified, so names stay. esbuild's `keepNames` would define the name of a closure each time one
 * is created.
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

/** Returns the options for the bundle of the app in a folder. */
export function appOptions(folder = process.cwd()) {
  return {
    ...options,
    absWorkingDir: folder,
    entryPoints: ["src/main.ts", ...globSync("src/*-agent.ts", { cwd: folder }).toSorted()],
    entryNames: "[name]",
    // CommonJS dependencies inside an ES module call `require` for Node's own modules.
    banner: {
      js: 'import { createRequire as $createRequire } from "node:module"; const require = $createRequire(import.meta.url);',
    },
    // The module with its WebAssembly inside: the other one reads a file beside itself. It is found
    // from the library that depends on it, since esbuild would start at the working folder.
    alias: { "@platformatic/wasm-utils": messaging.resolve("@platformatic/wasm-utils/bundled") },
    // Optional dependencies that the app does not install. If they exist here, they belong to a
    // tool.
    external: ["pg-native", "supports-color"],
  } satisfies BuildOptions;
}
