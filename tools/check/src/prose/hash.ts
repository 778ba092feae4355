import { type Scanned, trimmed } from "./code.ts";
import type { Piece } from "./rules.ts";

/** Splits a file whose comments start with `#` (shell, YAML, HCL) into comments and other lines. */
export function scanHash(source: string): Scanned {
  const pieces: Piece[] = [];
  const commentLines = new Set<number>();
  let block: { line: number; lines: string[] } | undefined;
  const close = () => {
    if (block) pieces.push({ kind: "comment", line: block.line, lines: trimmed(block.lines) });
    block = undefined;
  };
  for (const [index, text] of source.split("\n").entries()) {
    const line = index + 1;
    const comment = /^\s*#(.*)$/.exec(text)?.[1];
    if (comment !== undefined) {
      commentLines.add(line);
      block ??= { line, lines: [] };
      block.lines.push(comment);
      continue;
    }
    close();
    const trailing = /^(?:[^"'#]|"[^"]*"|'[^']*')*\s#\s(.*)$/.exec(text)?.[1];
    if (trailing !== undefined) pieces.push({ kind: "comment", line, lines: [trailing.trim()] });
    const code = trailing === undefined ? text : text.slice(0, -trailing.length);
    const description = /^\s*(?:description|summary):\s*["']?(.*?)["']?\s*$/.exec(code)?.[1];
    if (description !== undefined) pieces.push({ kind: "description", line, lines: [description] });
    else if (code.trim() !== "") pieces.push({ kind: "text", line, lines: [code] });
  }
  close();
  return { pieces, commentLines };
}
