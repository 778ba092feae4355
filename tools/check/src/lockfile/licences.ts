/**
 * The licences that packages of others may have: those that let everybody use, change and pass on
 * the code without opening their own. The list holds for code that is copied into a bundle and for
 * code that only builds it.
 */
import { type Licensed, licenceOf } from "@plumbline/tools-build/licence";
import { type LockPackages, releaseOf } from "./lock.ts";

/** Identifiers of SPDX. */
export const freeLicences: ReadonlySet<string> = new Set([
  "0BSD",
  "Apache-2.0",
  "BlueOak-1.0.0",
  "BSD-2-Clause",
  "BSD-3-Clause",
  "ISC",
  "MIT",
  "Python-2.0",
  "Unlicense",
]);

/** Returns true if one of the allowed licences is enough for an expression of SPDX. */
export function allows(allowed: ReadonlySet<string>, expression: string): boolean {
  const words = expression.match(/[()]|[^\s()]+/g) ?? [];
  let at = 0;
  const any = (): boolean => {
    let free = all();
    for (; words[at] === "OR"; free = all() || free) at += 1;
    return free;
  };
  const all = (): boolean => {
    let free = one();
    for (; words[at] === "AND"; free = one() && free) at += 1;
    return free;
  };
  const one = (): boolean => {
    const word = words[at];
    at += 1;
    if (word !== "(") return word !== undefined && allowed.has(word);
    const free = any();
    at += 1;
    return free && words[at - 1] === ")";
  };
  // Words that are left are no expression, or a WITH, which nothing here has.
  return any() && at === words.length;
}

/**
 * Returns one sentence for each package whose licence is none of the allowed ones. `installed`
 * returns the manifest in a folder of node_modules. A package for another platform is not installed
 * and may have no licence in the lock file: that of the package it is a part of counts.
 */
export function checkLicences(
  packages: LockPackages,
  installed: (path: string) => Licensed | undefined,
  allowed: ReadonlySet<string> = freeLicences,
): string[] {
  const wholes = new Map(
    Object.entries(packages).flatMap(([path, { optionalDependencies = {} }]) =>
      path.includes("node_modules/") ? Object.keys(optionalDependencies).map((part) => [part, path] as const) : [],
    ),
  );
  const licence = (path: string, depth = 0): string | undefined => {
    const found = packages[path]?.license ?? licenceOf(installed(path) ?? {});
    const whole = wholes.get(path.split("node_modules/").at(-1) ?? "");
    return found ?? (whole === undefined || depth > 3 ? undefined : licence(whole, depth + 1));
  };
  return Object.entries(packages).flatMap(([path, entry]) => {
    const release = releaseOf(path, entry);
    if (release === undefined) return [];
    const name = `${release.name}@${release.version}`;
    const found = licence(path);
    if (found === undefined) return [`${name}: names no licence: read its text, or take another package`];
    return allows(allowed, found) ? [] : [`${name}: its licence ${found} is not on the list in licences.ts`];
  });
}
