import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { Binaries } from "./binaries.ts";
import { cacheFolder } from "./cache-folder.ts";
import { initialise, inspectFolder } from "./data-folder.ts";
import type { Identity } from "./identity.ts";
import { keptPassword, newPassword } from "./superuser-password.ts";

export interface Template {
  readonly folder: string;
  /** The superuser's password, which copies have too. */
  readonly password: string;
}

/**
 * Returns a finished data folder to copy from, made once per machine, user and release. initdb
 * takes four times as long as the copy. Concurrent processes each make one, and the first to rename
 * wins.
 */
export async function templateFolder(
  binaries: Binaries,
  identity: Identity,
  options: { readonly user: string; readonly walSegmentMb: number },
): Promise<Template> {
  const owner = identity.uid ?? (identity.prefix.length > 0 ? "mapped" : "self");
  const folder = join(cacheFolder(), `template-${binaries.version}-${owner}-${options.walSegmentMb}-scram`);
  try {
    if (inspectFolder(folder, binaries.major) === "ready") return await existing(folder);
  } catch {
    // Systems delete old files from temporary folders one by one.
    await rm(folder, { recursive: true, force: true });
  }
  try {
    await initialise(folder, binaries, identity, { ...options, password: newPassword() });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "ENOTEMPTY" && code !== "EEXIST") throw error;
  }
  return await existing(folder);
}

async function existing(folder: string): Promise<Template> {
  const password = await keptPassword(folder);
  if (password === undefined) throw new Error(`${folder} has no password: delete it and try again`);
  return { folder, password };
}
