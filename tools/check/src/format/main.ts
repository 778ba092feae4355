/** `npm run format`: formats the repository. */
import { spawnSync } from "node:child_process";
import { resolve } from "node:path";
import { flag, runCommand } from "@plumbline/tools-stack/command";

await runCommand(
  {
    name: "npm run format",
    about: "Formats every file that Biome knows, as biome.json says.",
    options: { check: flag("writes nothing, fails when a file is not formatted") },
  },
  ({ values }) => {
    const root = resolve(import.meta.dirname, "../../../..");
    const args = ["format", ...(values.check ? [] : ["--write"]), "."];
    const { error, status } = spawnSync("biome", args, { cwd: root, stdio: "inherit" });
    if (error !== undefined) throw new Error(`Biome does not start (${error.message}): npm ci`);
    return status ?? 1;
  },
);
