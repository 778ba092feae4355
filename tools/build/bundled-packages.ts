import { existsSync, readFileSync, realpathSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Metafile } from "esbuild";

/**
 * Returns the packages of a bundle's files as `name@version`, sorted. Paths are relative to the
 * current folder.
 */
export function bundledPackages(metafile: Metafile): string[] {
  const found = Object.keys(metafile.inputs)
    .filter((path) => existsSync(path)) // Skips files that a plugin made up.
    .map((path) => packageOf(dirname(realpathSync(path))));
  return [...new Set(found)].toSorted();
}

/**
 * Returns the nearest package.json with a name. One without a name only states the kind of modules
 * in a folder.
 */
function packageOf(folder: string): string {
  const file = join(folder, "package.json");
  if (existsSync(file)) {
    const { name, version } = JSON.parse(readFileSync(file, "utf8")) as { name?: string; version?: string };
    if (name !== undefined && version !== undefined) return `${name}@${version}`;
  }
  const above = dirname(folder);
  if (above === folder) throw new Error(`no package.json above ${folder}`);
  return packageOf(above);
}
