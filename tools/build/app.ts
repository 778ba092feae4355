/**
 * Builds the app in the current folder for production: `dist/main.js` and one file for each worker-thread entry
 * (`*-thread.ts`), each complete with its dependencies, so an image needs Node and these files only.
 */
import { globSync } from "node:fs";
import { build } from "esbuild";
import { options } from "./options.ts";

await build({
  ...options,
  entryPoints: ["src/main.ts", ...globSync("src/**/*-thread.ts")],
  entryNames: "[name]",
  // CommonJS dependencies inside an ES module call `require` for Node's own modules.
  banner: {
    js: 'import { createRequire as $createRequire } from "node:module"; const require = $createRequire(import.meta.url);',
  },
  // Loaded only if somebody installs it; we do not.
  external: ["pg-native"],
});
