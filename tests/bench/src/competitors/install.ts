import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

/**
 * Returns the folder of the competitors, after installing their dependencies from their own lock
 * file on first use: 75 MB that only this bench needs. Returns undefined, with a message, if that
 * fails.
 */
export function installCompetitors(root: string): string | undefined {
  const folder = join(root, "tests/bench/competitors");
  const installed = join(folder, "node_modules/.package-lock.json");
  const lock = readFileSync(join(folder, "package-lock.json"), "utf8");
  if (existsSync(installed) && sameVersions(lock, readFileSync(installed, "utf8"))) return folder;
  console.log("Installing the competitors (once)…");
  const { status } = spawnSync("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund"], {
    cwd: folder,
    stdio: ["ignore", "ignore", "inherit"],
  });
  if (status === 0) return folder;
  console.log("SKIPPED  the Node competitors: npm ci failed in tests/bench/competitors");
  return undefined;
}

function sameVersions(lock: string, installed: string): boolean {
  const versions = (text: string): string => {
    const { packages } = JSON.parse(text) as { packages: Record<string, { version?: string; optional?: boolean }> };
    return Object.entries(packages)
      .filter(([path, { optional }]) => path !== "" && optional !== true)
      .map(([path, { version }]) => `${path}@${version}`)
      .sort()
      .join("\n");
  };
  return versions(lock) === versions(installed);
}
