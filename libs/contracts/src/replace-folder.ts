import { mkdir, readdir, readFile, rename, rm } from "node:fs/promises";
import { dirname, join, relative } from "node:path";

/** Far more than three processes need that do nothing else. */
const tries = 100;

/**
 * Moves the folder `fresh` to `target`, unless `target` has the same files already: then it is not
 * touched, so that a program that reads it at this moment finds it.
 *
 * Other processes may replace the same target. The old folder is moved away, beside `fresh`, and
 * removed there. Before the new one is in its place another process can put its own there: then
 * that one is moved away in turn. Rejects with the error of the rename after 100 tries.
 */
export async function replaceFolder(target: string, fresh: string): Promise<void> {
  await mkdir(dirname(target), { recursive: true });
  const old = `${fresh}.old`;
  for (let left = tries; !(await sameFiles(target, fresh)); left--) {
    try {
      await rename(target, old);
    } catch (error) {
      if (codeOf(error) !== "ENOENT") throw error;
    }
    try {
      await rename(fresh, target);
      return;
    } catch (error) {
      if (left === 1 || !["ENOTEMPTY", "EEXIST"].includes(codeOf(error) ?? "")) throw error;
    } finally {
      await rm(old, { recursive: true, force: true });
    }
  }
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException).code;
}

/** Returns whether both folders have the same files; a folder that is not there has none. */
async function sameFiles(left: string, right: string): Promise<boolean> {
  const [ours, theirs] = await Promise.all([contents(left), contents(right)]);
  return ours.size === theirs.size && [...ours].every(([path, bytes]) => theirs.get(path)?.equals(bytes));
}

/** Returns the bytes of a folder's files by their path in it. */
async function contents(folder: string): Promise<Map<string, Buffer>> {
  const files = new Map<string, Buffer>();
  try {
    for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
      const path = join(entry.parentPath, entry.name);
      if (entry.isFile()) files.set(relative(folder, path), await readFile(path));
    }
  } catch (error) {
    // Nothing is there, or another process removes it at this moment.
    if (codeOf(error) === "ENOENT") return new Map();
    throw error;
  }
  return files;
}
