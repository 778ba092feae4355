import type { Source } from "../source.ts";
import { fileChanges } from "./file-changes.ts";
import { parseFile } from "./parse-file.ts";
import { textOf } from "./text-of.ts";

export interface FileOptions {
  /** A file that is not there has no settings, instead of being a problem. */
  readonly optional?: boolean | undefined;
}

/**
 * Settings from a YAML or JSON file, sections as maps. A key that is no setting is a problem, named with its line. A key
 * without a value is not set. The file is watched: see `watchConfig`.
 */
export function file(path: string, options: FileOptions = {}): Source {
  // An editor may empty a file before it fills it, or take it away before it puts the new one: seen at that moment, all
  // settings would fall back to their defaults. So a file that had content must keep some.
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
