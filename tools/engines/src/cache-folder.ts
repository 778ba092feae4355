import { chmodSync, lstatSync, mkdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { EngineError } from "./engine-error.ts";

/**
 * A folder of this user's for what can be made again: library links, an initialised data folder. Others may pass through
 * it (a server that gave up root must), not write.
 */
export function cacheFolder(): string {
  const uid = process.getuid?.() ?? 0;
  const folder = join(tmpdir(), `plumbline-${uid}`);
  if (mkdirSync(folder, { recursive: true }) !== undefined) chmodSync(folder, 0o755); // Whatever the umask says.
  const stat = lstatSync(folder);
  // The name can be guessed, and in a shared temporary folder someone else may have taken it first: programs started from there would be theirs.
  if (!stat.isDirectory() || stat.uid !== uid || (stat.mode & 0o022) !== 0) {
    throw new EngineError(
      "folder_unwritable",
      `${folder} belongs to another user. Remove it, or set TMPDIR to a folder of your own.`,
    );
  }
  return folder;
}
