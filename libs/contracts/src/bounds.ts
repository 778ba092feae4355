/**
 * The bounds that the protos state, and a check of values against them. It imports nothing else.
 */
import { bounds } from "./gen/bounds.ts";

export { bounds };

/**
 * A field of a request that is wrong, and what it must be: `items[3].quantity`, "must be 1 to
 * 1000".
 */
export interface Violation {
  readonly field: string;
  readonly description: string;
}

interface Bound {
  readonly kind: "text" | "list" | "number";
  readonly least?: number;
  readonly most?: number;
  readonly pattern?: string;
  readonly optional?: boolean;
  readonly each?: string;
}

const table: Readonly<Record<string, Readonly<Record<string, Bound>>>> = bounds;
const patterns = new Map<string, RegExp>();

/**
 * Returns every field of a message that is outside its bounds, in the order of the proto. Entries
 * of a list are checked only if their number is allowed, so the cost of a check is bounded too.
 */
export function violationsOf(message: keyof typeof bounds, value: object): Violation[] {
  return check(message, value as Readonly<Record<string, unknown>>, "");
}

function check(message: string, value: Readonly<Record<string, unknown>>, prefix: string): Violation[] {
  return Object.entries(table[message] ?? {}).flatMap(([name, bound]) => {
    const field = prefix + name;
    if (bound.optional === true && value[name] === undefined) return [];
    if (!isWithin(bound, value[name])) return [{ field, description: descriptionOf(bound) }];
    if (bound.each === undefined) return [];
    const { each } = bound;
    const entries = value[name] as readonly Readonly<Record<string, unknown>>[];
    return entries.flatMap((entry, index) => check(each, entry, `${field}[${index}].`));
  });
}

function isWithin({ kind, least = 0, most = Number.MAX_SAFE_INTEGER, pattern }: Bound, value: unknown): boolean {
  if (kind === "number") return Number.isSafeInteger(Number(value)) && Number(value) >= least && Number(value) <= most;
  if (kind === "list") return Array.isArray(value) && value.length >= least && value.length <= most;
  if (typeof value !== "string") return false;
  // Code points, which a reader counts: an emoji is one of them, and two units of JavaScript.
  const length = value.length > 2 * most ? Number.POSITIVE_INFINITY : Array.from(value).length;
  return length >= least && length <= most && (pattern === undefined || regExp(pattern).test(value));
}

function regExp(pattern: string): RegExp {
  const made = patterns.get(pattern) ?? new RegExp(pattern, "u");
  patterns.set(pattern, made);
  return made;
}

function descriptionOf({ kind, least = 0, most, pattern }: Bound): string {
  const range = most === undefined ? `at least ${least}` : `${least} to ${most}`;
  if (kind === "number") return `must be ${range}`;
  if (kind === "list") return `must have ${range} entries`;
  const characters = /^\^\[(.+)\]\*\$$/.exec(pattern ?? "")?.[1];
  if (characters !== undefined) return `must be ${range} of ${listOf(characters)}`;
  return `must have ${range} characters${pattern === undefined ? "" : ` that match ${pattern}`}`;
}

/** Writes a class of characters for people: `a-z0-9-` as `a-z, 0-9 and "-"`. */
function listOf(characters: string): string {
  const parts = (characters.match(/\w-\w|./gu) ?? []).map((part) => (part.length > 1 ? part : JSON.stringify(part)));
  return parts.length < 2 ? parts.join("") : `${parts.slice(0, -1).join(", ")} and ${parts.at(-1)}`;
}
