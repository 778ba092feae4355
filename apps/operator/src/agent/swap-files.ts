import {
  chmod,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rename,
  rm,
  symlink,
  writeFile,
} from "node:fs/promises";
import { basename, join } from "node:path";

/** The names that keys of a Secret have. Two dots begin the names of the swap itself. */
const key = /^(?!\.\.)[-._a-zA-Z0-9]{1,253}$/;
const data = "..data";

/**
 * Makes a folder show the given files, all of them at one instant, as the kubelet does for volumes.
 * The files are in a folder of their own. `..data` is a link to it, which is replaced by a rename,
 * and each visible name is a link through it. Returns false if the folder shows them already.
 */
export async function swapFiles(folder: string, files: ReadonlyMap<string, Buffer>): Promise<boolean> {
  for (const name of files.keys()) {
    if (!key.test(name) || name === ".") throw new Error(`${JSON.stringify(name)} cannot be the name of a file`);
  }
  await mkdir(folder, { recursive: true });
  const isShown = await shows(folder, files);
  if (!isShown) {
    const next = await mkdtemp(join(folder, "..next-"));
    await chmod(next, 0o750);
    for (const [name, content] of files) await writeFile(join(next, name), content, { mode: 0o440 });
    await replaceLink(folder, data, basename(next));
  }
  for (const name of files.keys()) await replaceLink(folder, name, join(data, name));
  const present = await linkOf(join(folder, data));
  // Names that are gone, and folders of an earlier swap, one that was cut off too.
  for (const name of await readdir(folder)) {
    if (name !== data && name !== present && !files.has(name)) await rm(join(folder, name), { recursive: true });
  }
  return !isShown;
}

/** Returns true if `..data` has these files, and no other. */
async function shows(folder: string, files: ReadonlyMap<string, Buffer>): Promise<boolean> {
  const names = await unlessMissing(readdir(join(folder, data)));
  if (names === undefined || names.length !== files.size) return false;
  for (const [name, content] of files) {
    const found = await unlessMissing(readFile(join(folder, data, name)));
    if (found === undefined || !found.equals(content)) return false;
  }
  return true;
}

/** Makes a name a link, by a rename: a reader finds the old target or the new one. */
async function replaceLink(folder: string, name: string, target: string): Promise<void> {
  const path = join(folder, name);
  if ((await linkOf(path)) === target) return;
  const next = join(folder, `..link-${name}`);
  await rm(next, { force: true });
  await symlink(target, next);
  await rename(next, path);
}

async function linkOf(path: string): Promise<string | undefined> {
  const found = await unlessMissing(lstat(path));
  return found?.isSymbolicLink() === true ? await readlink(path) : undefined;
}

async function unlessMissing<T>(found: Promise<T>): Promise<T | undefined> {
  try {
    return await found;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}
