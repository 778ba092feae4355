/** `npm run lockfile`: completes package-lock.json after a dependency changed. */
import { readFileSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { runCommand } from "@plumbline/tools-stack/command";
import { complete, missingEntries } from "./complete.ts";

await runCommand(
  {
    name: "npm run lockfile",
    about: "Adds the packages of other platforms to package-lock.json, after a dependency changed.",
  },
  () => {
    const file = resolve(import.meta.dirname, "../../../../package-lock.json");
    const lock = JSON.parse(readFileSync(file, "utf8"));
    const added = Object.keys(missingEntries(lock.packages)).length;
    writeFileSync(file, `${JSON.stringify({ ...lock, packages: complete(lock.packages) }, null, 2)}\n`);
    console.log(`package-lock.json: ${added} platform packages added`);
  },
);
