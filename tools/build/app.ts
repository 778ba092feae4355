/**
 * Builds the app in the current folder for production: `dist/main.js` and one file for each
 * program for pods of others (`*-agent.ts`). Each includes its dependencies, so an image needs only
 * Node and these files.
 */
import { cpSync, existsSync, rmSync } from "node:fs";
import { build } from "esbuild";
import { appOptions } from "./options.ts";

rmSync("dist", { recursive: true, force: true }); // No file of an earlier build may remain.
await build(appOptions());
// A bundle finds them where its source does: in a folder beside the module that reads them.
if (existsSync("src/postgres/migrations")) cpSync("src/postgres/migrations", "dist/migrations", { recursive: true });
