import { existsSync, readdirSync, readFileSync } from "node:fs";
import { chmod, chown, mkdir, mkdtemp, readdir, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import type { Binaries } from "./binaries.ts";
import { EngineError } from "./engine-error.ts";
import type { Identity } from "./identity.ts";
import { runAs } from "./run-as.ts";
import { keepPassword } from "./superuser-password.ts";

export type FolderState = "absent" | "ready";

/** Returns the state of the data folder. Throws EngineError for one that must not be changed. */
export function inspectFolder(dataDir: string, major: string): FolderState {
  let entries: string[];
  try {
    entries = readdirSync(dataDir);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return "absent";
    throw new EngineError(
      "folder_unwritable",
      `The data folder ${dataDir} cannot be read. Give it to this user, or choose another.`,
      { cause },
    );
  }
  if (entries.length === 0) return "absent";
  if (!entries.includes("PG_VERSION")) {
    throw new EngineError(
      "folder_unfinished",
      `${dataDir} is not empty and is no PostgreSQL data folder. Nothing was changed: choose another folder, or delete this one.`,
    );
  }
  const version = readFileSync(join(dataDir, "PG_VERSION"), "utf8").trim();
  // initdb writes the version first and copies the database "postgres" (5) last. Without both it
  // was interrupted.
  const finished = ["global/pg_control", "postgresql.conf", "base/5/PG_VERSION"].every((file) =>
    existsSync(join(dataDir, file)),
  );
  if (version === "" || !finished) {
    throw new EngineError(
      "folder_unfinished",
      `The data folder ${dataDir} was left half written, so it holds no data yet. Delete it and start again.`,
    );
  }
  if (version !== major) {
    throw new EngineError(
      "folder_other_version",
      `The data folder ${dataDir} was made by PostgreSQL ${version}, and this is ${major}. ` +
        `Move the data over with pg_dump of version ${version}, or delete the folder to start empty. Nothing was changed.`,
    );
  }
  return "ready";
}

const unfinished = ".new-";

/**
 * Creates a data folder under another name and renames it, so that no process sees it half written.
 */
export async function initialise(
  dataDir: string,
  binaries: Binaries,
  identity: Identity,
  options: InitOptions,
): Promise<void> {
  const target = resolve(dataDir);
  try {
    await mkdir(dirname(target), { recursive: true });
    await sweep(target);
    // An existing empty folder may be a mount, and renaming onto a mount fails.
    const inPlace = existsSync(target);
    const folder = inPlace ? target : await mkdtemp(`${target}${unfinished}`);
    try {
      await chmod(folder, 0o700);
      if (identity.uid !== undefined && identity.gid !== undefined) await chown(folder, identity.uid, identity.gid);
      await initdb(folder, binaries, identity, options);
      await keepPassword(folder, options.password, identity);
      if (!inPlace) await rename(folder, target);
    } catch (error) {
      if (!inPlace) await rm(folder, { recursive: true, force: true });
      throw error;
    }
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === "EACCES" || code === "EPERM" || code === "EROFS") {
      throw new EngineError(
        "folder_unwritable",
        `The data folder ${target} cannot be made: ${(cause as Error).message}. Choose another, or give its parent to this user.`,
        { cause },
      );
    }
    throw cause;
  }
}

/** Removes the files of an initdb that was killed half way. */
async function sweep(target: string): Promise<void> {
  for (const name of await readdir(dirname(target))) {
    if (!name.startsWith(`${basename(target)}${unfinished}`)) continue;
    const path = join(dirname(target), name);
    const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: Number.POSITIVE_INFINITY }));
    // A younger one may belong to another process that is still running.
    if (mtimeMs < Date.now() - 600_000) await rm(path, { recursive: true, force: true });
  }
}

export interface InitOptions {
  readonly user: string;
  /** The password of the superuser. */
  readonly password: string;
  readonly walSegmentMb?: number | undefined;
}

async function initdb(folder: string, binaries: Binaries, identity: Identity, options: InitOptions): Promise<void> {
  const args = [
    "-D",
    folder,
    "-U",
    options.user,
    "-E",
    "UTF8",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
    "--locale=C",
  ];
  args.push("--no-sync", "--no-instructions", "--auth=scram-sha-256");
  if (options.walSegmentMb !== undefined) args.push(`--wal-segsize=${options.walSegmentMb}`);
  const { environment } = binaries;
  // An argument would be visible in the list of processes. Node's standard input is a socket, which
  // cannot be opened by its name; `cat` makes it a pipe.
  const piped = ["-c", 'cat | "$@" --pwfile=/dev/stdin', "sh", binaries.initdb, ...args];
  await runAs(identity, "/bin/sh", piped, { environment, input: `${options.password}\n` });
}
