import type { Setting } from "../settings.ts";

type Types = Pick<Setting, "types" | "itemTypes">;

/**
 * Converts text to the first of the setting's types that it fits: numbers, true and false, JSON for
 * lists and maps, and `a, b` for a list, whose items are converted alike. Text that fits none stays
 * text, so that the schema reports what it expects.
 */
export function fromText(text: string, { types, itemTypes }: Types): unknown {
  for (const type of types) {
    const value = as(type, text, itemTypes);
    if (value !== undefined) return value;
  }
  return text;
}

function as(type: string, text: string, itemTypes: readonly string[]): unknown {
  switch (type) {
    case "integer":
    case "number":
      // Number() would accept "", " " and "0x10" too.
      return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text.trim()) ? Number(text) : undefined;
    case "boolean":
      return text === "true" ? true : text === "false" ? false : undefined;
    case "array":
      if (text.trimStart().startsWith("[")) return json(text);
      return text.split(",").map((part) => fromText(part.trim(), { types: itemTypes, itemTypes: [] }));
    case "object":
      return json(text);
    default:
      return undefined;
  }
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
