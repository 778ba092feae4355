import { existsSync } from "node:fs";
import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { ApiKeysFile } from "@plumbline/auth/settings";
import { type Config, file, loadConfig } from "@plumbline/config";

export type Keys = Config<typeof ApiKeysFile>["keys"];

/** Returns the keys of a file. Rejects with a ConfigError that has all problems of the file. */
export async function readKeys(path: string): Promise<Keys> {
  return (await loadConfig(ApiKeysFile, [file(path)])).keys;
}

/**
 * Changes the keys of a file, which is made if it does not exist, for its owner alone. A reader
 * sees the old file or the new one. Two changes at once cannot lose one: the second is refused.
 */
export async function changeKeys(path: string, change: (keys: Keys) => Keys): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const half = `${path}.new`;
  await writeFile(half, "", { mode: 0o600, flag: "wx" }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "EEXIST") throw error;
    throw new Error(`${half} exists: another change is being written, or one was killed; then remove the file`);
  });
  try {
    const keys = change(existsSync(path) ? await readKeys(path) : []);
    await writeFile(half, `${JSON.stringify({ keys }, null, 2)}\n`, { flush: true });
    await rename(half, path);
  } catch (error) {
    await rm(half, { force: true });
    throw error;
  }
}
