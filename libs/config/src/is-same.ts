import { isDeepStrictEqual } from "node:util";
import { Secret } from "./secret.ts";

/** Returns true if both are deeply equal. Secrets are compared by their values. */
export function isSame(a: unknown, b: unknown): boolean {
  return isDeepStrictEqual(revealed(a), revealed(b));
}

/** Returns a copy with revealed secrets, which all look alike otherwise. */
function revealed(value: unknown): unknown {
  if (value instanceof Secret) return { secret: value.reveal() };
  if (Array.isArray(value)) return value.map(revealed);
  if (typeof value !== "object" || value === null || value instanceof Date) return value;
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, revealed(part)]));
}
