/** A copy of the files that bundles are made of, to build them in another place. */
import { cpSync, existsSync, globSync, readFileSync, realpathSync, symlinkSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";

interface SourceMap {
  readonly sources?: readonly string[];
  readonly sourceRoot?: string;
}

/**
 * Copies the files that a build reads from `root` to `to`: the given ones, the manifests above
 * them, the scripts that build, and links between the projects. Throws where a file is outside of
 * `root`.
 */
export function copySources(root: string, to: string, files: Iterable<string>): void {
  const from = realpathSync(root);
  const paths = new Set<string>();
  for (const file of files) {
    const path = relative(from, realpathSync(file));
    if (path.startsWith("..")) throw new Error(`a bundle has a file from outside of the repository: ${file}`);
    for (const one of [path, ...mapOf(from, path)]) paths.add(one);
    for (let folder = dirname(path); folder !== "."; folder = dirname(folder)) paths.add(join(folder, "package.json"));
  }
  const always = [
    "package.json",
    "package-lock.json",
    "tsconfig.json",
    "{apps,libs,tools}/*/{package,tsconfig}.json",
    "tools/build/*.ts",
    "apps/*/src/postgres/migrations",
    "node_modules/@plumbline/*",
    // Each build looks for it, also where it is not in the bundle.
    "node_modules/@platformatic/wasm-utils",
  ];
  const options = { recursive: true, verbatimSymlinks: true, force: false };
  for (const path of [...paths, ...globSync(always, { cwd: from })].toSorted()) {
    // Not every file has a map, and a folder between a file and its package has no manifest.
    if (existsSync(join(from, path))) cpSync(join(from, path), join(to, path), options);
  }
  // The bundler itself is no part of a bundle.
  symlinkSync(join(from, "node_modules/esbuild"), join(to, "node_modules/esbuild"));
}

/**
 * Returns the map of a package's file, and the sources that it names. The bundler reads them to map
 * the bundle to these sources, and does not list them.
 */
function mapOf(root: string, path: string): string[] {
  const map = join(root, `${path}.map`);
  if (!path.startsWith("node_modules") || !existsSync(map)) return [];
  const { sources = [], sourceRoot = "" } = JSON.parse(readFileSync(map, "utf8")) as SourceMap;
  return [map, ...sources.map((source) => resolve(dirname(map), sourceRoot, source))]
    .map((file) => relative(root, file))
    .filter((file) => file.startsWith("node_modules"));
}
