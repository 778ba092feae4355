import type { Source } from "../source.ts";
import { fileChanges } from "./file-changes.ts";
import { textOf } from "./text-of.ts";

/**
 * Returns a source for one setting whose value is the whole content of a file, such as a
 * certificate or a key. The file must exist. `watchConfig` watches it.
 */
export function contents(key: string, path: string): Source {
  return {
    name: path,
    nameOf: () => path,
    changes: (signal) => fileChanges(path, signal),
    async read(_settings, { signal } = {}) {
      const text = await textOf(path, signal);
      return typeof text === "string"
        ? { entries: [{ path: [key], value: text, origin: path }], problems: [] }
        : { entries: [], problems: [{ key, source: path, expected: text.expected }] };
    },
  };
}
