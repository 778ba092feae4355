/**
 * Converts text to the first of `types` that it fits: numbers, true and false, JSON for lists and
 * maps, and `a, b` for a list. Text that fits none stays text, so that the schema reports what it
 * expects.
 */
export function fromText(text: string, types: readonly string[]): unknown {
  for (const type of types) {
    const value = as(type, text);
    if (value !== undefined) return value;
  }
  return text;
}

function as(type: string, text: string): unknown {
  switch (type) {
    case "integer":
    case "number":
      // Number() would accept "", " " and "0x10" too.
      return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text.trim()) ? Number(text) : undefined;
    case "boolean":
      return text === "true" ? true : text === "false" ? false : undefined;
    case "array":
      return text.trimStart().startsWith("[") ? json(text) : text.split(",").map((part) => part.trim());
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
