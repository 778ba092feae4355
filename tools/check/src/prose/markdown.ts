import type { Piece } from "./rules.ts";

export interface ScannedMarkdown {
  readonly pieces: readonly Piece[];
  /** The numbers of the lines of prose: no table, no code. */
  readonly proseLines: ReadonlySet<number>;
}

/** Splits a page into paragraphs, list items, headings and cells of tables. Code is left out. */
export function scanMarkdown(source: string): ScannedMarkdown {
  const pieces: Piece[] = [];
  const proseLines = new Set<number>();
  let paragraph: { line: number; lines: string[] } | undefined;
  let fence: string | undefined;
  let tableRow = 0;
  const close = () => {
    if (paragraph) pieces.push({ kind: "paragraph", ...paragraph });
    paragraph = undefined;
  };
  for (const [index, text] of source.split("\n").entries()) {
    const line = index + 1;
    const mark = /^\s*(?:[-*]\s+)?(`{3,}|~{3,})/.exec(text)?.[1];
    if (fence !== undefined) {
      if (mark?.startsWith(fence)) fence = undefined;
      continue;
    }
    const isRow = /^\s*\|/.test(text);
    tableRow = isRow ? tableRow + 1 : 0;
    if (mark !== undefined) {
      close();
      fence = mark;
    } else if (isRow) {
      close();
      const cells = text.split(/(?<!\\)\|/).slice(1, -1);
      // The first row has the titles of the columns.
      for (const cell of cells) pieces.push({ kind: tableRow === 1 ? "text" : "cell", line, lines: [cell.trim()] });
    } else if (text.trim() === "" || /^\s*<!--.*-->\s*$/.test(text)) {
      close();
    } else if (/^#+\s/.test(text)) {
      close();
      pieces.push({ kind: "text", line, lines: [text] });
      proseLines.add(line);
    } else {
      const item = /^\s*(?:[-*]|\d+\.)\s+(.*)$/.exec(text)?.[1];
      if (item !== undefined) close();
      paragraph ??= { line, lines: [] };
      paragraph.lines.push((item ?? text).trim().replace(/^>\s?/, ""));
      proseLines.add(line);
    }
  }
  close();
  return { pieces, proseLines };
}
