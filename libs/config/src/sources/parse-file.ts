import { type Document, isMap, isScalar, LineCounter, type Node, parseDocument } from "yaml";
import type { Problem } from "../config-error.ts";
import type { Setting } from "../settings.ts";
import { similar } from "../similar.ts";
import type { Entry, Reading } from "../source.ts";

/** Reads YAML, of which JSON is a part, into entries that know their lines. */
export function parseFile(path: string, text: string, settings: readonly Setting[]): Reading {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, logLevel: "error" });
  const where = (offset: number | undefined): string =>
    offset === undefined ? path : `${path}:${lines.linePos(offset).line}`;
  if (document.errors.length > 0) {
    const problems = document.errors.map((error) => ({
      key: "*",
      source: where(error.pos[0]),
      expected: `YAML: ${firstLine(error.message)}`,
    }));
    return { entries: [], problems };
  }
  const walk = new Walk(document, settings, where);
  walk.section(document.contents, []);
  return walk;
}

class Walk implements Reading {
  readonly entries: Entry[] = [];
  readonly problems: Problem[] = [];
  readonly #document: Document;
  readonly #settings: ReadonlyMap<string, Setting>;
  readonly #sections: ReadonlySet<string>;
  readonly #where: (offset: number | undefined) => string;

  constructor(document: Document, settings: readonly Setting[], where: (offset: number | undefined) => string) {
    this.#document = document;
    this.#where = where;
    this.#settings = new Map(settings.map((setting) => [setting.key, setting]));
    this.#sections = new Set(
      settings.flatMap(({ path }) => path.slice(0, -1).map((_, end) => path.slice(0, end + 1).join("."))),
    );
  }

  section(node: Node | null, path: readonly string[]): void {
    if (node === null || (isScalar(node) && node.value === null)) return; // All its lines are comments.
    if (!isMap(node)) {
      this.#problem(path.join(".") || "*", node.range?.[0], "a map of settings");
      return;
    }
    for (const { key, value } of node.items) {
      const offset = (key as Node).range?.[0];
      const below = [...path, String(isScalar(key) ? key.value : key)];
      const name = below.join(".");
      if (this.#settings.has(name)) this.#entry(value as Node | null, below, offset);
      else if (this.#sections.has(name)) this.section(value as Node | null, below);
      else this.#problem(name, offset, `a known setting${hint(name, [...this.#settings.keys(), ...this.#sections])}`);
    }
  }

  #entry(node: Node | null, path: readonly string[], offset: number | undefined): void {
    let value: unknown;
    try {
      value = node?.toJS(this.#document); // Aliases are resolved here, a hundred of them at most.
    } catch (error) {
      this.#problem(path.join("."), offset, `YAML: ${firstLine(String(error))}`);
      return;
    }
    if (value !== null && value !== undefined) this.entries.push({ path, value, origin: this.#where(offset) });
  }

  #problem(key: string, offset: number | undefined, expected: string): void {
    this.problems.push({ key, source: this.#where(offset), expected });
  }
}

function hint(name: string, names: readonly string[]): string {
  const meant = similar(name, names);
  return meant === undefined ? "" : ` (did you mean ${meant}?)`;
}

function firstLine(text: string): string {
  return text.split("\n", 1)[0] ?? "";
}
