import { chmodSync, lstatSync, mkdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { EngineError } from "./engine-error.ts";

/**
 * Returns a folder of this user for files that can be made again: library links, an initialised
 * data folder. Others may read it, because a server that dropped root must, but not write to it.
 */
export function cacheFolder(): string {
  const uid = process.getuid?.() ?? 0;
  const folder = join(tmpdir(), `plumbline-${uid}`);
  if (mkdirSync(folder, { recursive: true }) !== undefined) chmodSync(folder, 0o755); // Regardless of the umask.
  const stat = lstatSync(folder);
  // Another user may have created this folder in a shared temporary folder, with programs of their
  // own in it.
  if (!stat.isDirectory() || stat.uid !== uid || (stat.mode & 0o022) !== 0) {
    throw new EngineError(
      "folder_unwritable",
      `${folder} belongs to another user. Remove it, or set TMPDIR to a folder of your own.`,
    );
  }
  return folder;
}
