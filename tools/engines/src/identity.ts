import { spawnSync } from "node:child_process";
import { existsSync, statSync } from "node:fs";
import { userInfo } from "node:os";
import { dirname, resolve } from "node:path";
import { EngineError } from "./engine-error.ts";

/** The user that runs the server: PostgreSQL refuses root, and initdb a user without a name. */
export interface Identity {
  readonly uid?: number;
  readonly gid?: number;
  /** The prefix of the command. */
  readonly prefix: readonly string[];
}

const nobody = { uid: 65534, gid: 65534 };

/** A user namespace in which this user is `nobody`, a user that every Linux has. */
const unshare = ["unshare", "-U", `--map-user=${nobody.uid}`, `--map-group=${nobody.gid}`, "--"];

/**
 * Chooses the user that runs the server. A normal user runs it as itself. Root runs it as the owner
 * of the folder that holds the data, so that the user can open files that `sudo` made, or as the
 * user `nobody` if root owns the folder. If that user cannot reach the files, as in a checkout
 * under /root, the server runs in a user namespace.
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

/** Returns the arguments of `spawn`: the command with its prefix, and ids if they change. */
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
  if (!existsSync(absolute)) return true; // It will be created by this process.
  const { uid, gid, mode } = statSync(absolute);
  const bits = uid === user.uid ? mode >> 6 : gid === user.gid ? mode >> 3 : mode;
  return (bits & 0o1) !== 0;
}
