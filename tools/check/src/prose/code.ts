import type { Piece } from "./rules.ts";

export interface Scanned {
  readonly pieces: readonly Piece[];
  /** The numbers of the lines that hold nothing but comment. */
  readonly commentLines: ReadonlySet<number>;
}

export type CodeLanguage = "typescript" | "go" | "proto";

interface Comment {
  readonly line: number;
  readonly lines: string[];
  readonly alone: boolean;
}

const beforeRegex = /(?:^|[(,=:[!&|?{};+\-*%~^<>]|\b(?:return|typeof|case|in|of|delete|void|throw|await|yield))\s*$/;
const testCall = /(?:^|[^\w.])(?:test|it|describe|t\.test|t\.Run)(?:\.(?:skip|only|todo))?\(\s*$/;
const describeCall = /\.describe\(\s*$|\b(?:description|summary)\s*:\s*$/;
const messageCall = /\.(?:debug|info|warn|error)\(\s*$|Error\(\s*(?:"\w+",\s*)?$/;

/** Splits source code into comments and strings. A string without a space is a name: left out. */
export function scanCode(source: string, language: CodeLanguage): Scanned {
  const comments: Comment[] = [];
  const pieces: Piece[] = [];
  const code: string[] = []; // The last code: it shows which call a string belongs to.
  let line = 1;
  let index = 0;
  let lineHasCode = false;

  const before = () => code.slice(-200).join("");
  const push = (text: string) => {
    for (const character of text) code.push(character);
    if (code.length > 2_000) code.splice(0, 1_000);
    if (text.trim() !== "") lineHasCode = true;
  };
  const advance = (text: string) => {
    for (let at = text.indexOf("\n"); at !== -1; at = text.indexOf("\n", at + 1)) {
      line++;
      lineHasCode = false;
    }
    index += text.length;
  };

  const string = (quote: string) => {
    const start = line;
    const stands = before();
    let text = "";
    index++;
    while (index < source.length && source[index] !== quote) {
      if (source[index] === "\\" && !(language === "go" && quote === "`")) {
        text += source[index + 1] === "n" ? " " : (source[index + 1] ?? "");
        index += 2;
      } else if (quote === "`" && language === "typescript" && source.startsWith("${", index)) {
        index += 2;
        scan("}");
        index++;
        text += "…";
      } else {
        if (source[index] === "\n") line++;
        else if (quote === '"' && source[index] === undefined) break;
        text += source[index];
        index++;
      }
    }
    index++;
    push('""');
    if (!/\S\s+\S/.test(text)) return;
    pieces.push({ kind: kindOf(stands), line: start, lines: text.split("\n") });
  };

  // Scans to the end of the file, or to the brace that closes a placeholder of a template.
  const scan = (end?: string) => {
    for (let depth = 0; index < source.length; ) {
      const character = source[index] as string;
      const next = source[index + 1];
      if (character === end && depth === 0) return;
      if (character === "{") depth++;
      if (character === "}") depth--;
      if (character === "/" && next === "/") {
        const stop = source.indexOf("\n", index);
        const text = source.slice(index, stop === -1 ? source.length : stop);
        comments.push({ line, lines: [text.slice(2)], alone: !lineHasCode });
        advance(text);
      } else if (character === "/" && next === "*") {
        const stop = source.indexOf("*/", index + 2);
        const text = source.slice(index, stop === -1 ? source.length : stop + 2);
        const lines = text
          .replace(/^\/\*+|\*+\/$/g, "")
          .split("\n")
          .map((part) => part.replace(/^\s*\*(?!\*)/, ""));
        comments.push({ line, lines, alone: !lineHasCode });
        advance(text);
      } else if (character === "/" && language === "typescript" && beforeRegex.test(before())) {
        const regex =
          /^\/(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n[])+\/\w*/.exec(source.slice(index, index + 2_000))?.[0] ?? "/";
        push('""');
        index += regex.length;
      } else if (
        character === '"' ||
        (character === "'" && language !== "go") ||
        (character === "`" && language !== "proto")
      ) {
        string(character);
      } else if (character === "'" && language === "go") {
        const rune = /^'(?:\\.[^']*|[^'])'/u.exec(source.slice(index, index + 16))?.[0] ?? "'";
        push(rune);
        index += rune.length;
      } else {
        push(character);
        advance(character);
      }
    }
  };
  scan();

  const commentLines = new Set(
    comments.filter(({ alone }) => alone).flatMap(({ line, lines }) => lines.map((_, offset) => line + offset)),
  );
  return { pieces: [...joined(comments), ...pieces], commentLines };
}

// Comments of one line each that follow one another are one comment.
function joined(comments: readonly Comment[]): Piece[] {
  const blocks: { line: number; lines: string[] }[] = [];
  let last: Comment | undefined;
  for (const comment of comments) {
    const block = blocks.at(-1);
    if (block && last?.alone && comment.alone && comment.line === block.line + block.lines.length) {
      block.lines.push(...comment.lines);
    } else blocks.push({ line: comment.line, lines: [...comment.lines] });
    last = comment;
  }
  return blocks.map(({ line, lines }) => ({ kind: "comment", line, lines: trimmed(lines) }));
}

export function trimmed(lines: readonly string[]): string[] {
  return lines.map((line) => line.trim());
}

function kindOf(before: string): Piece["kind"] {
  if (testCall.test(before)) return "test name";
  if (describeCall.test(before)) return "description";
  return messageCall.test(before) ? "message" : "text";
}
