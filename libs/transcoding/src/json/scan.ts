import type { JsonObject, JsonValue } from "@bufbuild/protobuf";

/** What is wrong with a JSON text, and where: `offset` counts characters from 0. */
export interface TextProblem {
  readonly offset: number;
  readonly description: string;
  /** The path of a key that was given twice; absent when the text is no JSON at all. */
  readonly duplicate?: string;
}

/** Objects and lists inside one another. Deeper texts are refused: no message of ours is, and recursion has its cost. */
export const maxDepth = 100;

/** Thrown and caught in this file only: it carries the first problem out of the recursion. */
class Found extends Error {
  readonly problem: TextProblem;
  constructor(problem: TextProblem) {
    super(problem.description);
    this.problem = problem;
  }
}

/** The first problem of a JSON text; undefined when it has none. */
export function scanJson(text: string): TextProblem | undefined {
  const read = readJson(text);
  return "problem" in read ? read.problem : undefined;
}

/**
 * Reads a JSON text (RFC 8259), or finds the first problem in it. `JSON.parse` tells neither place nor kind: its messages
 * give no position for half of the mistakes and quote the text, and of two equal keys it keeps the last.
 */
export function readJson(text: string): { readonly value: JsonValue } | { readonly problem: TextProblem } {
  let at = 0;

  const fail = (description: string, offset = at, duplicate?: string): never => {
    throw new Found({ offset, description, ...(duplicate !== undefined && { duplicate }) });
  };
  const eat = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = at;
    const found = pattern.exec(text)?.[0];
    at += found?.length ?? 0;
    return found;
  };
  const space = (): void => void eat(/[ \t\n\r]*/y);
  const expected = (what: string): never =>
    fail(at >= text.length ? `the text ends where ${what} is expected` : `expected ${what}`);

  const string = (): string => {
    const start = at;
    at += 1;
    for (;;) {
      // By hand: one expression over a long string with alternatives would need a stack as deep as the string.
      while (isPlain(text.charCodeAt(at))) at += 1;
      if (text[at] === '"') break;
      if (at >= text.length) fail("a string has no end", start);
      if (eat(/\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y) === undefined) {
        fail(text[at] === "\\" ? "unknown escape in a string" : "control character in a string");
      }
    }
    at += 1;
    const raw = text.slice(start, at);
    return raw.includes("\\") ? (JSON.parse(raw) as string) : raw.slice(1, -1);
  };
  const list = (path: string, depth: number): JsonValue[] => {
    const items: JsonValue[] = [];
    at += 1;
    space();
    if (text[at] === "]") {
      at += 1;
      return items;
    }
    for (let index = 0; ; index++) {
      items.push(value(`${path}[${index}]`, depth));
      if (text[at] === "]") {
        at += 1;
        return items;
      }
      if (text[at] !== ",") expected('"," or "]"');
      at += 1;
    }
  };
  const object = (path: string, depth: number): JsonObject => {
    const members = new Map<string, JsonValue>();
    at += 1;
    space();
    if (text[at] === "}") {
      at += 1;
      return {};
    }
    for (;;) {
      space();
      const start = at;
      if (text[at] !== '"') expected("a key in double quotes");
      const key = string();
      const keyPath = joinPath(path, key);
      if (members.has(key)) fail("given twice", start, keyPath);
      space();
      if (text[at] !== ":") expected('":"');
      at += 1;
      members.set(key, value(keyPath, depth));
      if (text[at] === "}") {
        at += 1;
        return Object.fromEntries(members);
      }
      if (text[at] !== ",") expected('"," or "}"');
      at += 1;
    }
  };
  const value = (path: string, depth: number): JsonValue => {
    space();
    const first = text[at];
    if ((first === "{" || first === "[") && depth === maxDepth) fail(`nested deeper than ${maxDepth}`);
    let found: JsonValue;
    if (first === "{") found = object(path, depth + 1);
    else if (first === "[") found = list(path, depth + 1);
    else if (first === '"') found = string();
    else {
      const word = eat(/true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y);
      found = JSON.parse(word ?? expected("a value")) as JsonValue;
    }
    space();
    return found;
  };

  try {
    const found = value("", 0);
    if (at < text.length) fail("expected the end of the text");
    return { value: found };
  } catch (error) {
    if (error instanceof Found) return { problem: error.problem };
    throw error;
  }
}

/** Whether a character stands in a string as it is: no quote, backslash, control character, nor the end (NaN). */
function isPlain(code: number): boolean {
  return code >= 0x20 && code !== 0x22 && code !== 0x5c;
}

/** `items[1].quantity`; a key that would not read well so stands in brackets and quotes. */
export function joinPath(path: string, key: string): string {
  if (!/^[A-Za-z_$][\w$]*$/.test(key))
    return `${path}[${JSON.stringify(key.length > 64 ? `${key.slice(0, 64)}…` : key)}]`;
  return path === "" ? key : `${path}.${key}`;
}
