import type { Problem } from "../config-error.ts";
import type { Setting } from "../settings.ts";
import { similar } from "../similar.ts";
import type { Entry, Reading } from "../source.ts";

/**
 * A section or value in the tree of a source. A map is both: a setting may take it as its value.
 */
export interface TreeNode {
  /** The position in the source, such as a file and line. */
  readonly origin: string;
  /** The parts of a section. Undefined if the node can only be a value. */
  readonly parts?: Iterable<TreePart> | undefined;
  /**
   * Returns the value for `setting`, or undefined if there is none. Throws an error if it is
   * malformed.
   */
  value(setting: Setting): unknown;
}

export interface TreePart {
  readonly name: string;
  /** The position of the name. */
  readonly origin: string;
  /** Undefined for a name without a value. */
  readonly node: TreeNode | undefined;
}

/**
 * Reads the settings from a tree, and reports names that are no setting. An undefined root has no
 * settings.
 */
export function readTree(root: TreeNode | undefined, settings: readonly Setting[]): Reading {
  const known = new Map(settings.map((setting) => [setting.key, setting]));
  const sections = new Set(
    settings.flatMap(({ path }) => path.slice(0, -1).map((_, end) => path.slice(0, end + 1).join("."))),
  );
  const entries: Entry[] = [];
  const problems: Problem[] = [];

  function readSection(node: TreeNode | undefined, path: readonly string[]): void {
    if (node === undefined) return;
    if (node.parts === undefined) {
      problems.push({ key: path.join(".") || "*", source: node.origin, expected: "a map of settings" });
      return;
    }
    for (const part of node.parts) {
      const below = [...path, part.name];
      const key = below.join(".");
      const setting = known.get(key);
      if (setting !== undefined) readValue(part, setting);
      else if (sections.has(key)) readSection(part.node, below);
      else problems.push(unknown(key, part.origin, [...known.keys(), ...sections]));
    }
  }

  function readValue({ origin, node }: TreePart, setting: Setting): void {
    try {
      const value = node?.value(setting);
      if (value !== undefined) entries.push({ path: setting.path, value, origin });
    } catch (error) {
      problems.push({ key: setting.key, source: origin, expected: messageOf(error) });
    }
  }

  readSection(root, []);
  return { entries, problems };
}

function unknown(key: string, source: string, names: readonly string[]): Problem {
  const meant = similar(key, names);
  return { key, source, expected: `a known setting${meant === undefined ? "" : ` (did you mean ${meant}?)`}` };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
