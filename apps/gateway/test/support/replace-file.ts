import { rename, writeFile } from "node:fs/promises";

/** Replaces a file at once: a reader sees the old text or the new one. */
export async function replaceFile(path: string, text: string): Promise<void> {
  await writeFile(`${path}.new`, text);
  await rename(`${path}.new`, path);
}
