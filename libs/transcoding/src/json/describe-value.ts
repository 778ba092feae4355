/**
 * Describes a JSON value in a few words, for "found ...": its kind, and the value itself if it is
 * short.
 */
export function describeValue(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "string") return value.length <= 32 ? `the string ${JSON.stringify(value)}` : "a string";
  if (typeof value === "number") return `the number ${value}`;
  return typeof value === "boolean" ? String(value) : "an object";
}
