/**
 * Converts any value to JSON of bounded size, for a log line. Deep, wide and long values are cut
 * and marked. Bytes show their length only. `toJSON` is called, so a Secret prints as "[secret]".
 * Never throws.
 */
export function printable(value: unknown, budget: Budget = newBudget()): Json {
  try {
    return copy(value, maxDepth, budget, []);
  } catch {
    return "[unreadable]"; // A getter, a toJSON or a proxy threw. Logging must not.
  }
}

/** Converts `value` of `fields` as `printable(fields)` would. Throws if a getter does. */
export function printableField(value: unknown, budget: Budget, fields: object): Json {
  return copy(value, maxDepth - 1, budget, [fields]);
}

export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };

/** The remaining size of one line, shared by all its fields. */
export interface Budget {
  values: number;
  characters: number;
}

export const newBudget = (): Budget => ({ values: 500, characters: 32_768 });

const maxDepth = 5;
/** The most entries of an object or list. */
export const maxEntries = 50;
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
    case "undefined": // In a list. An undefined field is left out.
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
  return value instanceof Map
    ? copyMap(value, depth, budget, inside)
    : copyFields(value as Record<string, unknown>, depth, budget, inside);
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

function copyFields(
  value: Readonly<Record<string, unknown>>,
  depth: number,
  budget: Budget,
  path: readonly object[],
): Json {
  const result = keyed();
  // for-in can stop early on a huge object, while Object.entries copies it first.
  for (const key in value) {
    if (Object.hasOwn(value, key) && !put(result, key, value[key], depth, budget, path)) break;
  }
  return result.entries;
}

function copyMap(map: Map<unknown, unknown>, depth: number, budget: Budget, path: readonly object[]): Json {
  const result = keyed();
  for (const [key, value] of map) {
    if (!put(result, typeof key === "string" ? key : `[${typeof key}]`, value, depth, budget, path)) break;
  }
  return result.entries;
}

interface Keyed {
  readonly entries: Record<string, Json>;
  count: number;
}

// No prototype, so that __proto__ is a key like any other.
const keyed = (): Keyed => ({ entries: Object.create(null), count: 0 });

/** Adds an entry. Returns false if there is no room for more. */
function put(
  result: Keyed,
  key: string,
  value: unknown,
  depth: number,
  budget: Budget,
  path: readonly object[],
): boolean {
  if (value === undefined) return true;
  if (result.count++ === maxEntries || budget.values <= 0) {
    result.entries["[cut]"] = true;
    return false;
  }
  result.entries[text(key, budget)] = copy(value, depth - 1, budget, path);
  return true;
}

// Drivers put whole URLs into their errors, and the password in one must not be logged.
const credentials = /(:\/\/[^\s/:@]*):[^\s/@]+@/g;

/** Returns `value` without the password of a URL, cut at `limit` characters. */
export function text(value: string, budget: Budget, limit: number = maxString): string {
  const room = Math.max(0, Math.min(limit, budget.characters));
  // Cut before redacting, so that a huge string costs nothing. The margin keeps a password at the
  // edge whole.
  const near = value.length > room + 256 ? value.slice(0, room + 256) : value;
  const clean = near.includes("://") ? near.replace(credentials, "$1:[secret]@") : near;
  const cut = clean.length > room ? `${clean.slice(0, room)}[cut]` : clean;
  budget.characters -= cut.length;
  // Half a surrogate pair is not valid UTF-8 and would break readers of the line.
  return cut.isWellFormed() ? cut : cut.toWellFormed();
}
