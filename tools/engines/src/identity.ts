import { spawnSync } from "node:child_process";
import { existsSync, statSync } from "node:fs";
import { userInfo } from "node:os";
import { dirname, resolve } from "node:path";
import { EngineError } from "./engine-error.ts";

/** As whom the server runs: PostgreSQL refuses to be root, and initdb to be a user without a name. */
export interface Identity {
  readonly uid?: number;
  readonly gid?: number;
  /** Put before the command. */
  readonly prefix: readonly string[];
}

const nobody = { uid: 65534, gid: 65534 };

/** A user namespace in which whoever we are is called nobody, a user that every Linux has. */
const unshare = ["unshare", "-U", `--map-user=${nobody.uid}`, `--map-group=${nobody.gid}`, "--"];

/**
 * A normal user runs it as itself. Root gives it to the owner of the place the data lies in (so that what `sudo` made,
 * the user can open), to nobody where that is root; and where such a user cannot get at the files, as in a checkout
 * under /root, enters a user namespace.
 */
export function chooseIdentity(dataDir: string, files: readonly string[]): Identity {
  if (process.getuid?.() !== 0) {
    if (hasName() || canUnshare()) return { prefix: hasName() ? [] : unshare };
    throw new EngineError(
      "unsupported_platform",
      `The user id ${process.getuid?.()} has no name on this system, and PostgreSQL wants one: add it to /etc/passwd, or run as another user.`,
    );
  }
  const place = statSync(nearestExisting(dataDir));
  const user = place.uid !== 0 && isKnown(place.uid) ? { uid: place.uid, gid: place.gid } : nobody;
  if ([...files, dirname(resolve(dataDir))].every((path) => canReach(user, path))) return { ...user, prefix: [] };
  if (canUnshare()) return { prefix: unshare };
  throw new EngineError(
    "folder_unwritable",
    `PostgreSQL refuses to run as root, user ${user.uid} cannot reach ${[...files, dataDir].join(" and ")}, and this system allows no user namespaces. ` +
      "Run as a normal user, or move the checkout or the data folder out of a folder only root may enter.",
  );
}

/** How `spawn` is told: the command with its prefix, and ids where they change. */
export function asIdentity(identity: Identity, command: string, args: readonly string[]) {
  const [program = command, ...rest] = [...identity.prefix, command, ...args];
  const { uid, gid } = identity;
  return { program, args: rest, ids: uid === undefined || gid === undefined ? {} : { uid, gid } };
}

function canUnshare(): boolean {
  return spawnSync("unshare", [...unshare.slice(1), "true"], { stdio: "ignore" }).status === 0;
}

function hasName(): boolean {
  try {
    return userInfo().username !== "";
  } catch {
    return false;
  }
}

function isKnown(uid: number): boolean {
  return spawnSync("getent", ["passwd", String(uid)], { stdio: "ignore" }).status === 0;
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
