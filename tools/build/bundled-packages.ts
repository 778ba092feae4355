import { existsSync, readFileSync, realpathSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Metafile } from "esbuild";

/** The packages that files of a bundle come from, as `name@version`, sorted. Paths are relative to the current folder. */
export function bundledPackages(metafile: Metafile): string[] {
  const found = Object.keys(metafile.inputs)
    .filter((path) => existsSync(path)) // Not what a plugin made up.
    .map((path) => packageOf(dirname(realpathSync(path))));
  return [...new Set(found)].toSorted();
}

/** Some packages hold a package.json without a name, to say what kind of modules a folder has: it is not theirs. */
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
