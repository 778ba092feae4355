/**
 * Turns any value into JSON of bounded size: what a log line may hold. Deep, wide and long values are cut and say so;
 * bytes show their length only; `toJSON` is honoured, which is how a Secret prints as "[secret]". Never throws.
 */
export function printable(value: unknown, budget: Budget = newBudget()): Json {
  try {
    return copy(value, maxDepth, budget, []);
  } catch {
    return "[unreadable]"; // A getter, a toJSON or a proxy that throws must not take the caller down.
  }
}

export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };

/** What is left for one line, shared by all its fields. */
export interface Budget {
  values: number;
  characters: number;
}

export const newBudget = (): Budget => ({ values: 500, characters: 32_768 });

const maxDepth = 5;
const maxEntries = 50;
const maxString = 2_048;

function copy(value: unknown, depth: number, budget: Budget, path: readonly object[]): Json {
  if (budget.values-- <= 0) return "[cut]";
  switch (typeof value) {
    case "string":
      return text(value, budget);
    case "number":
      return Number.isFinite(value) ? value : String(value);
    case "boolean":
      return value;
    case "bigint":
      return text(String(value), budget);
    case "object":
      return value === null ? null : copyObject(value, depth, budget, path);
    case "function":
    case "symbol":
    case "undefined": // In a list; a field that is undefined is left out.
    default:
      return `[${typeof value}]`;
  }
}

function copyObject(value: object, depth: number, budget: Budget, path: readonly object[]): Json {
  if (path.includes(value)) return "[circular]";
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return `[${value.byteLength} bytes]`;
  if (value instanceof Error) return text(`${value.name}: ${value.message}`, budget);
  if (depth === 0) return Array.isArray(value) ? "[array]" : "[object]";
  const inside = [...path, value];
  if ("toJSON" in value && typeof value.toJSON === "function") {
    return copy(value.toJSON(), depth - 1, budget, inside);
  }
  if (Array.isArray(value) || value instanceof Set) return copyList(value, depth, budget, inside);
  const entries = value instanceof Map ? mapEntries(value) : objectEntries(value);
  return copyEntries(entries, depth, budget, inside);
}

function copyList(values: Iterable<unknown>, depth: number, budget: Budget, path: readonly object[]): Json {
  const list: Json[] = [];
  for (const value of values) {
    if (list.length === maxEntries || budget.values <= 0) {
      list.push("[cut]");
      break;
    }
    list.push(copy(value, depth - 1, budget, path));
  }
  return list;
}

function copyEntries(
  entries: Iterable<[string, unknown]>,
  depth: number,
  budget: Budget,
  path: readonly object[],
): Json {
  // No prototype: a key called __proto__ is then a key like any other.
  const result: Record<string, Json> = Object.create(null);
  let count = 0;
  for (const [key, value] of entries) {
    if (value === undefined) continue;
    if (count++ === maxEntries || budget.values <= 0) {
      result["[cut]"] = true;
      break;
    }
    result[text(key, budget)] = copy(value, depth - 1, budget, path);
  }
  return result;
}

function* objectEntries(value: object): Iterable<[string, unknown]> {
  // for-in stops early on a huge object, where Object.entries would copy it first.
  for (const key in value) {
    if (Object.hasOwn(value, key)) yield [key, (value as Record<string, unknown>)[key]];
  }
}

function* mapEntries(value: Map<unknown, unknown>): Iterable<[string, unknown]> {
  for (const [key, entry] of value) yield [typeof key === "string" ? key : `[${typeof key}]`, entry];
}

// Drivers put whole URLs into their errors: a password there is a secret in a log.
const credentials = /(:\/\/[^\s/:@]*):[^\s/@]+@/g;

/** `value` without the password of a URL, cut at `limit` characters. */
export function text(value: string, budget: Budget, limit: number = maxString): string {
  const room = Math.max(0, Math.min(limit, budget.characters));
  // Cut before redacting, so that a huge string costs nothing; a margin keeps a password on the edge whole.
  const near = value.length > room + 256 ? value.slice(0, room + 256) : value;
  const clean = near.includes("://") ? near.replace(credentials, "$1:[secret]@") : near;
  const cut = clean.length > room ? `${clean.slice(0, room)}[cut]` : clean;
  budget.characters -= cut.length;
  // A half surrogate pair is not valid UTF-8 and would break the reader of the line.
  return cut.isWellFormed() ? cut : cut.toWellFormed();
}
