import type { JsonValue } from "@bufbuild/protobuf";
import { maxDepth } from "./scan.ts";

/**
 * Parses a JSON text without problems; returns undefined if `readJson` would or might find one.
 * Most bodies are fine, and `JSON.parse` reads them in a sixth of the time. It checks neither depth
 * nor duplicate keys: depth is counted here, and with a duplicate key the value has fewer keys than
 * the text.
 */
export function parseFast(text: string): JsonValue | undefined {
  const keys = keysOf(text);
  if (keys === undefined) return undefined;
  try {
    const value = JSON.parse(text) as JsonValue;
    return keysWithin(value) === keys ? value : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Counts the keys in a JSON text. Returns undefined if the text is too deep, has an unterminated
 * string, or a key with an escape: `JSON.parse` may confuse such a key with an earlier one
 * (nodejs/node#63785).
 */
function keysOf(text: string): number | undefined {
  let keys = 0;
  let depth = 0;
  let escaped = false;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === quote) {
      escaped = false;
      for (at += 1; text.charCodeAt(at) !== quote; at++) {
        if (at >= text.length) return undefined;
        if (text.charCodeAt(at) !== backslash) continue;
        escaped = true;
        at += 1;
      }
    } else if (code === colon) {
      if (escaped) return undefined;
      keys += 1;
    } else if (code === brace || code === bracket) {
      depth += 1;
      if (depth > maxDepth) return undefined;
    } else if (code === closingBrace || code === closingBracket) depth -= 1;
  }
  return keys;
}

const quote = 0x22;
const colon = 0x3a;
const backslash = 0x5c;
const bracket = 0x5b;
const closingBracket = 0x5d;
const brace = 0x7b;
const closingBrace = 0x7d;

function keysWithin(value: JsonValue): number {
  if (typeof value !== "object" || value === null) return 0;
  let keys = 0;
  if (Array.isArray(value)) for (const item of value) keys += keysWithin(item);
  else for (const key of Object.keys(value)) keys += 1 + keysWithin(value[key] as JsonValue);
  return keys;
}
