import type { JsonObject, JsonValue } from "@bufbuild/protobuf";

/** A problem in a JSON text. `offset` counts characters from 0. */
export interface TextProblem {
  readonly offset: number;
  readonly description: string;
  /** The path of a key that appears twice; absent if the text is not JSON. */
  readonly duplicate?: string;
}

/** The greatest depth of objects and lists. Deeper texts are refused, which bounds recursion. */
export const maxDepth = 100;

/** An error that carries the first problem out of the recursion. It never leaves this file. */
class Found extends Error {
  readonly problem: TextProblem;
  constructor(problem: TextProblem) {
    super(problem.description);
    this.problem = problem;
  }
}

/** Returns the first problem of a JSON text; undefined if it has none. */
export function scanJson(text: string): TextProblem | undefined {
  const read = readJson(text);
  return "problem" in read ? read.problem : undefined;
}

export interface ReadOptions {
  /** The path of the whole value; empty if absent. */
  readonly path?: string | undefined;
  /** Called with the path and the text of each number. */
  readonly onNumber?: ((path: string, text: string) => void) | undefined;
}

/**
 * Reads a JSON text (RFC 8259), or finds the first problem in it. `JSON.parse` is no help here:
 * half of its messages have no position, they quote the text, and it silently keeps the last of two
 * equal keys.
 */
export function readJson(
  text: string,
  options: ReadOptions = {},
): { readonly value: JsonValue } | { readonly problem: TextProblem } {
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
    fail(at >= text.length ? `the text ends, but ${what} is expected` : `expected ${what}`);

  const string = (): string => {
    const start = at;
    at += 1;
    for (;;) {
      // A loop: a regular expression with alternatives would need a stack as deep as the string is
      // long.
      while (isPlain(text.charCodeAt(at))) at += 1;
      if (text[at] === '"') break;
      if (at >= text.length) fail("unterminated string", start);
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
      if (members.has(key)) fail("appears twice", start, keyPath);
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
    if ((first === "{" || first === "[") && depth === maxDepth) fail(`nested more than ${maxDepth} levels deep`);
    let found: JsonValue;
    if (first === "{") found = object(path, depth + 1);
    else if (first === "[") found = list(path, depth + 1);
    else if (first === '"') found = string();
    else {
      const word = eat(/true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y);
      found = JSON.parse(word ?? expected("a value")) as JsonValue;
      if (typeof found === "number") options.onNumber?.(path, word ?? "");
    }
    space();
    return found;
  };

  try {
    const found = value(options.path ?? "", 0);
    if (at < text.length) fail("expected the end of the text");
    return { value: found };
  } catch (error) {
    if (error instanceof Found) return { problem: error.problem };
    throw error;
  }
}

/**
 * Returns true for a character that needs no escape: no quote, backslash or control character, nor
 * the end (NaN).
 */
function isPlain(code: number): boolean {
  return code >= 0x20 && code !== 0x22 && code !== 0x5c;
}

/**
 * Appends a key to a path: `items[1].quantity`. Unusual keys are written in brackets and quotes.
 */
export function joinPath(path: string, key: string): string {
  if (!/^[A-Za-z_$][\w$]*$/.test(key))
    return `${path}[${JSON.stringify(key.length > 64 ? `${key.slice(0, 64)}…` : key)}]`;
  return path === "" ? key : `${path}.${key}`;
}
