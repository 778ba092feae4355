/**
 * npm leaves platform packages out of the lock file if the registry could not serve them. `npm ci`
 * on another machine then refuses the whole file ("Missing: ... from lock file"). Each missing
 * package is optional, so an entry with its version, its systems and its hash completes the file.
 */
import { type LockEntry, type LockPackages, type Release, releaseOf, releasesOf } from "./lock.ts";

/** Returns the missing entries of optional dependencies, by their path in the lock file. */
export function missingEntries(packages: LockPackages): Record<string, LockEntry> {
  const missing: Record<string, LockEntry> = {};
  for (const [path, entry] of Object.entries(packages)) {
    for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
      if (!resolves(packages, path, name)) missing[`node_modules/${name}`] = stub(name, version, entry.dev === true);
    }
  }
  return missing;
}

/** Returns the packages with the missing entries, in npm's order. */
export function complete(packages: LockPackages): LockPackages {
  const { "": root, ...rest } = { ...packages, ...missingEntries(packages) };
  const sorted = Object.entries(rest).toSorted(([a], [b]) => a.localeCompare(b, "en"));
  return { ...(root === undefined ? {} : { "": root }), ...Object.fromEntries(sorted) };
}

/** Returns the packages with the given hashes, by `name@version`, in the entries that have none. */
export function withHashes(packages: LockPackages, hashes: ReadonlyMap<string, string>): LockPackages {
  return Object.fromEntries(
    Object.entries(packages).map(([path, entry]) => {
      const release = releaseOf(path, entry);
      const integrity = release === undefined ? undefined : hashes.get(`${release.name}@${release.version}`);
      if (integrity === undefined || entry.integrity !== undefined) return [path, entry];
      // npm writes the hash behind the version.
      const { version, ...rest } = entry;
      return [path, { ...(version === undefined ? {} : { version }), integrity, ...rest }];
    }),
  );
}

/** Returns the releases whose entries have no hash. */
export function withoutHash(packages: LockPackages): Release[] {
  return [
    ...releasesOf(
      Object.fromEntries(Object.entries(packages).filter(([, entry]) => entry.integrity === undefined)),
    ).values(),
  ];
}

/** Resolves by Node's rule: the folder itself, then each one above it. */
function resolves(packages: LockPackages, from: string, name: string): boolean {
  for (let base = from; ; base = base.slice(0, Math.max(0, base.lastIndexOf("/node_modules/")))) {
    if (packages[`${base === "" ? "" : `${base}/`}node_modules/${name}`] !== undefined) return true;
    if (!base.includes("/node_modules/")) return packages[`node_modules/${name}`] !== undefined;
  }
}

function stub(name: string, version: string, dev: boolean): LockEntry {
  const os = /(android|darwin|freebsd|netbsd|openbsd|sunos|aix|openharmony|win32|linux)/.exec(name)?.[1];
  const cpu = /(arm64|loong64|mips64el|arm|ia32|x64|ppc64|riscv64|s390x)/.exec(name)?.[1];
  const libc = name.includes("musl") ? ["musl"] : name.includes("gnu") ? ["glibc"] : undefined;
  return {
    version,
    ...(cpu === undefined ? {} : { cpu: [cpu] }),
    ...(dev ? { dev: true } : {}),
    ...(libc !== undefined && os === "linux" ? { libc } : {}),
    optional: true,
    ...(os === undefined ? {} : { os: [os] }),
  };
}
