import type { Source } from "../source.ts";
import { fileChanges } from "./file-changes.ts";
import { parseFile } from "./parse-file.ts";
import { textOf } from "./text-of.ts";

export interface FileOptions {
  /** If true, a missing file has no settings. Otherwise it is a problem. */
  readonly optional?: boolean | undefined;
}

/**
 * Returns a source over a YAML or JSON file, with sections as maps. A key that is no setting is a
 * problem with its line. A key without a value is not set. `watchConfig` watches the file.
 */
export function file(path: string, options: FileOptions = {}): Source {
  // An editor may empty a file before it writes it, or remove it before it adds the new one. Read
  // at that moment, all settings would fall back to their defaults. So a file that had content must
  // not become empty.
  let hadContent = false;
  return {
    name: path,
    changes: (signal) => fileChanges(path, signal),
    async read(settings, { signal } = {}) {
      const text = await textOf(path, signal);
      if (typeof text !== "string") {
        if (text.missing && options.optional === true && !hadContent) return { entries: [], problems: [] };
        return { entries: [], problems: [{ key: "*", source: path, expected: text.expected }] };
      }
      if (text.trim() === "" && hadContent) {
        return { entries: [], problems: [{ key: "*", source: path, expected: "content, which it had before" }] };
      }
      hadContent ||= text.trim() !== "";
      return parseFile(path, text, settings);
    },
  };
}
