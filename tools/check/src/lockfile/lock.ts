/** The parts of package-lock.json that the checks read. */

export interface LockEntry {
  /** The package's own name, where the folder has another one. */
  readonly name?: string;
  readonly version?: string;
  readonly resolved?: string;
  readonly integrity?: string;
  readonly link?: boolean;
  readonly dev?: boolean;
  readonly optional?: boolean;
  readonly hasInstallScript?: boolean;
  readonly license?: string;
  readonly os?: readonly string[];
  readonly cpu?: readonly string[];
  readonly libc?: readonly string[];
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}
export type LockPackages = Readonly<Record<string, LockEntry>>;

/** One release of a package in the registry. */
export interface Release {
  readonly name: string;
  readonly version: string;
}

/** Returns the release of an entry; undefined for a folder of this repository. */
export function releaseOf(path: string, { link, version, name: own }: LockEntry): Release | undefined {
  const name = own ?? path.split("node_modules/").at(-1);
  if (!path.includes("node_modules/") || link === true || name === undefined) return undefined;
  return { name, version: version ?? "" };
}

/** Returns each release of a lock file once, as `name@version`. */
export function releasesOf(packages: LockPackages): Map<string, Release> {
  const releases = new Map<string, Release>();
  for (const [path, entry] of Object.entries(packages)) {
    const release = releaseOf(path, entry);
    if (release !== undefined) releases.set(`${release.name}@${release.version}`, release);
  }
  return releases;
}
