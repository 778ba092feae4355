import { randomUUID } from "node:crypto";
import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

/**
 * Files that curl reads a header from: `curl -H @FOLDER/ada`. Only their owner may read them, and a
 * reader never sees half of one.
 */
export class TokenFiles {
  readonly #folder: string;
  readonly #names: readonly string[];

  constructor(folder: string, names: readonly string[]) {
    this.#folder = folder;
    this.#names = names;
  }

  /** Writes the file of each name. Rejects if the folder cannot be written. */
  async write(lineOf: (name: string) => Promise<string>): Promise<void> {
    await mkdir(this.#folder, { recursive: true });
    for (const name of this.#names) {
      const half = join(this.#folder, `.${name}.${randomUUID()}`);
      try {
        await writeFile(half, `${await lineOf(name)}\n`, { mode: 0o600, flag: "wx" });
        await rename(half, join(this.#folder, name));
      } catch (error) {
        await rm(half, { force: true });
        throw error;
      }
    }
  }

  /** Removes the files: their tokens end with the keys. */
  async remove(): Promise<void> {
    await Promise.all(this.#names.map((name) => rm(join(this.#folder, name), { force: true })));
  }
}
