import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { FileChange } from "./changes.ts";

/**
 * Applies a change to the files under `root`. Throws if the code of an edit does not stand exactly
 * once in its file.
 */
export function apply(changes: readonly FileChange[], root: string): void {
  for (const { file, text, edits = [] } of changes) {
    const path = join(root, file);
    if (text !== undefined) {
      if (existsSync(path)) throw new Error(`${file} exists already`);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, text);
      continue;
    }
    let content = readFileSync(path, "utf8");
    for (const { at, before = "", after = "", instead = at } of edits) {
      const parts = content.split(at);
      if (parts.length !== 2) throw new Error(`${file} has ${parts.length - 1} times, not once:\n${at}`);
      content = parts.join(before + instead + after);
    }
    writeFileSync(path, content);
  }
}
