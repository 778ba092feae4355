/** `npm run lockfile`: completes package-lock.json after a dependency changed. */
import { readFileSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { complete, missingEntries } from "./complete.ts";

const file = resolve(import.meta.dirname, "../../../../package-lock.json");
const lock = JSON.parse(readFileSync(file, "utf8"));
const added = Object.keys(missingEntries(lock.packages)).length;
writeFileSync(file, `${JSON.stringify({ ...lock, packages: complete(lock.packages) }, null, 2)}\n`);
console.log(`package-lock.json: ${added} platform packages added`);
