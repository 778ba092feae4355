import { existsSync, readFileSync, realpathSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import type { Metafile } from "esbuild";
import type { Licensed } from "./licence.ts";

/** A package with code in a bundle. */
export interface BundledPackage extends Licensed {
  readonly name: string;
  readonly version: string;
  /** The folder of its package.json, without links. */
  readonly folder: string;
}

/** Returns the files whose code is in the bundle. Paths are relative to the folder of the build. */
export function bundledFiles({ outputs }: Metafile): string[] {
  const found = Object.values(outputs).flatMap(({ inputs }) =>
    Object.entries(inputs).flatMap(([path, { bytesInOutput }]) => (bytesInOutput > 0 ? [path] : [])),
  );
  return [...new Set(found)].toSorted();
}

/** Returns the packages of files by `name@version`, sorted. Paths are relative to `folder`. */
export function packagesOf(paths: readonly string[], folder: string): Map<string, BundledPackage> {
  const found = paths
    .map((path) => resolve(folder, path))
    .filter((path) => existsSync(path)) // Skips files that a plugin made up.
    .map(packageOf);
  return new Map(found.map((one) => [refOf(one), one] as const).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

export function refOf({ name, version }: BundledPackage): string {
  return `${name}@${version}`;
}

/**
 * Returns the package of a file. Below node_modules it is the folder there: a package may have more
 * manifests inside. Elsewhere it is the nearest folder with one.
 */
export function packageOf(file: string): BundledPackage {
  const path = realpathSync(file);
  const foreign = /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/.exec(path.replaceAll("\\", "/"))?.[0];
  let folder = foreign ?? dirname(path);
  while (!existsSync(join(folder, "package.json"))) {
    if (foreign !== undefined || dirname(folder) === folder) throw new Error(`no package.json for ${path}`);
    folder = dirname(folder);
  }
  const { name, version, license, licenses } = JSON.parse(
    readFileSync(join(folder, "package.json"), "utf8"),
  ) as Partial<BundledPackage>;
  if (name === undefined || version === undefined) throw new Error(`${folder}/package.json has no name or no version`);
  return { name, version, folder, ...(license && { license }), ...(licenses && { licenses }) };
}
