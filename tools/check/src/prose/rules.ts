/** A run of words in a file: a comment, a string, a paragraph. `lines` are lines of the file. */
export interface Piece {
  readonly kind: "comment" | "text" | "description" | "test name" | "message" | "paragraph" | "cell";
  readonly line: number;
  readonly lines: readonly string[];
}

export interface Finding {
  readonly line: number;
  readonly problem: string;
}

export const maxLineLength = 100;
const maxSentences = 4;

const banned =
  /\b(?:for\s+ever|anew|told|heard|com(?:e|es|ing)\s+again|no\s+news|looks?\s+away|nobody|taken\s+for|what\s+is\s+left\s+of|whoever)\b/gi;
const starts = "What|Whatever|Who|Whoever|Whose|Whether|How|Where|Of|As";
// A sentence starts after a full stop, in a list item, and after an empty line.
const sentenceStart = new RegExp(
  `(?<=^|[.!?]["')*_]*\\s+|\\n\\s*(?:[-*]|\\d+\\.)\\s+|\\n\\s*\\n\\s*)(?:${starts})\\b`,
  "g",
);
const wordsStart = new RegExp(`^(?:${starts})\\b`, "i");
const directive = /^\s*(?:oxlint|biome|eslint|@ts-|go:|nolint|syntax=|shellcheck|buf:lint|\+build|!)/;

/** Finds banned phrases and sentences that start with a word such as "What" or "Whether". */
export function wordsIn({ kind, line, lines }: Piece): Finding[] {
  const text = withoutCode(lines.join("\n"));
  const at = (index: number) => line + text.slice(0, index).split("\n").length - 1;
  const findings = [...text.matchAll(banned)].map(({ 0: found, index }) => ({
    line: at(index),
    problem: `banned phrase "${found.toLowerCase().replace(/\s+/g, " ")}"`,
  }));
  const found =
    kind === "text"
      ? []
      : kind === "comment" || kind === "paragraph" || kind === "cell"
        ? [...text.matchAll(sentenceStart)]
        : [wordsStart.exec(text)];
  for (const start of found) {
    if (start === null || isQuestion(text.slice(start.index))) continue;
    findings.push({ line: at(start.index), problem: `a ${kind} has a sentence that starts with "${start[0]}"` });
  }
  return findings;
}

/** Finds a line of prose or comment that is too long. URLs and targets of links do not count. */
export function lengthOf(line: number, text: string): Finding[] {
  const length = text.replace(/\]\([^)\s]*\)/g, "]").replace(/\b\w+:\/\/\S+/g, "").length;
  return length > maxLineLength ? [{ line, problem: `${length} characters; ${maxLineLength} are allowed` }] : [];
}

/** Finds a paragraph of a README with too many sentences. */
export function sentencesIn({ line, lines }: Piece): Finding[] {
  const count = withoutCode(lines.join(" ")).match(/[.!?]["')*_]*(?=\s+["'(*_`[]*[A-Z`0-9]|\s*$)/g)?.length ?? 0;
  return count > maxSentences
    ? [{ line, problem: `a paragraph of ${count} sentences; ${maxSentences} are allowed` }]
    : [];
}

/** Returns true for a comment that a tool reads. */
export function isDirective(comment: string): boolean {
  return directive.test(comment);
}

// Code is replaced by as many other characters, so that positions stay what they are.
function withoutCode(text: string): string {
  return text
    .replace(/```[\s\S]*?(?:```|$)/g, (code) => code.replace(/[^\n]/g, "x"))
    .replace(/`[^`\n]+`/g, (code) => "x".repeat(code.length));
}

function isQuestion(text: string): boolean {
  return /^[^.!?]*\?/.test(text);
}
