import { spawnSync } from "node:child_process";
import { existsSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { EngineError } from "./engine-error.ts";

/** As whom the server runs: PostgreSQL refuses to be root. */
export interface Identity {
  readonly uid?: number;
  readonly gid?: number;
  /** Put before the command. */
  readonly prefix: readonly string[];
}

const nobody = { uid: 65534, gid: 65534 };
const unshare = ["unshare", "-U", "--map-user=1000", "--map-group=1000", "--"];

/**
 * A normal user runs it as itself. Root gives it to the owner of the place the data lies in (so that what `sudo` made,
 * the user can open), to nobody where that is root; and where such a user cannot get at the files, as in a checkout
 * under /root, enters a user namespace in which root is called 1000.
 */
export function chooseIdentity(dataDir: string, files: readonly string[]): Identity {
  if (process.getuid?.() !== 0) return { prefix: [] };

  const place = statSync(nearestExisting(dataDir));
  const user = place.uid === 0 ? nobody : { uid: place.uid, gid: place.gid };
  const dataIsRoots = existsSync(dataDir) && place.uid === 0;
  const reachable = [...files, dirname(resolve(dataDir))].every((path) => canReach(user, path));
  if (reachable && !dataIsRoots) return { ...user, prefix: [] };

  if (spawnSync("unshare", [...unshare.slice(1), "true"], { stdio: "ignore" }).status === 0) return { prefix: unshare };
  throw new EngineError(
    "folder_unwritable",
    `PostgreSQL refuses to run as root, user ${user.uid} cannot reach ${[...files, dataDir].join(" and ")}, and this system allows no user namespaces. ` +
      "Run as a normal user, or move the checkout or the data folder out of a folder only root may enter.",
  );
}

/** How `spawn` is told: the command with its prefix, and ids where they change. */
export function asIdentity(identity: Identity, command: string, args: readonly string[]) {
  const [program = command, ...rest] = [...identity.prefix, command, ...args];
  const ids = identity.uid === undefined || identity.gid === undefined ? {} : { uid: identity.uid, gid: identity.gid };
  return { program, args: rest, ids };
}

function nearestExisting(path: string): string {
  const absolute = resolve(path);
  return existsSync(absolute) ? absolute : nearestExisting(dirname(absolute));
}

function canReach(user: { uid: number; gid: number }, path: string): boolean {
  const absolute = resolve(path);
  const parent = dirname(absolute);
  if (parent !== absolute && !canReach(user, parent)) return false;
  if (!existsSync(absolute)) return true; // Will be made, by us.
  const { uid, gid, mode } = statSync(absolute);
  const bits = uid === user.uid ? mode >> 6 : gid === user.gid ? mode >> 3 : mode;
  return (bits & 0o1) !== 0;
}
