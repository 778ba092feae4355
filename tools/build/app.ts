/**
 * Builds the app in the current folder for production: `dist/main.js` and one file for each worker-thread entry
 * (`*-thread.ts`), each complete with its dependencies, so an image needs Node and these files only.
 */
import { rmSync } from "node:fs";
import { build } from "esbuild";
import { appOptions } from "./options.ts";

rmSync("dist", { recursive: true, force: true }); // A file of an earlier build must not survive in this one.
await build(appOptions());
