import { type Document, isMap, isScalar, LineCounter, type Node, parseDocument } from "yaml";
import type { Setting } from "../settings.ts";
import type { Reading } from "../source.ts";
import { readTree, type TreeNode, type TreePart } from "./read-tree.ts";

/** Reads the settings from YAML, of which JSON is a subset. Each entry and problem has its line. */
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
  return readTree(treeOf(document.contents, document, where), settings);
}

type Where = (offset: number | undefined) => string;

function treeOf(node: Node | null, document: Document, where: Where): TreeNode | undefined {
  if (node === null || (isScalar(node) && node.value === null)) return undefined; // All its lines may be comments.
  return {
    origin: where(node.range?.[0]),
    parts: isMap(node) ? partsOf(node.items, document, where) : undefined,
    value: () => valueOf(node, document),
  };
}

function* partsOf(
  items: readonly { readonly key: unknown; readonly value: unknown }[],
  document: Document,
  where: Where,
): Generator<TreePart> {
  for (const { key, value } of items) {
    yield {
      name: String(isScalar(key) ? key.value : key),
      origin: where((key as Node).range?.[0]),
      node: treeOf(value as Node | null, document, where),
    };
  }
}

function valueOf(node: Node, document: Document): unknown {
  try {
    return node.toJS(document) ?? undefined; // Resolves aliases, a hundred at most.
  } catch (error) {
    throw new Error(`YAML: ${firstLine(String(error))}`, { cause: error });
  }
}

function firstLine(text: string): string {
  return text.split("\n", 1)[0] ?? "";
}
