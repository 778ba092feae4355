import type { Fields } from "./logger.ts";
import { type Budget, type Json, maxEntries, printable, printableField, text } from "./printable.ts";

export const none: Fields = {};

/**
 * Returns `line`, an object's JSON without its closing brace, with `fields` appended. The result
 * equals JSON.stringify of the record, but is written in one pass: a line of the access log has
 * eight small values, and copying them first costs more than writing them. `before` are the fields
 * that `line` already has. Fields that cannot be read are left out.
 */
export function addFields(line: string, fields: Fields, budget: Budget, before: Fields = none): string {
  try {
    if (isPlain(fields)) return addPlain(line, fields, budget, before);
    const copied = printable(fields, budget);
    if (typeof copied !== "object" || copied === null) return line;
    const record = recordOf(line);
    for (const [key, value] of Object.entries(copied)) record[fieldName(key)] = value;
    return textOf(record);
  } catch {
    return line; // A getter, a toJSON or a proxy threw. Logging must not.
  }
}

function isPlain(fields: Fields): boolean {
  if (typeof fields !== "object" || fields === null) return false; // Types do not hold at run time.
  return Object.getPrototypeOf(fields) === Object.prototype && !("toJSON" in fields);
}

function addPlain(line: string, fields: Fields, budget: Budget, before: Fields): string {
  if (budget.values-- <= 0) return line;
  let written = line;
  // Used from the first key on that cannot be appended: a duplicate, a renamed one, or a number,
  // which sorts first.
  let record = before === none || isPlain(before) ? undefined : recordOf(line);
  let count = 0;
  for (const key in fields) {
    if (!Object.hasOwn(fields, key)) continue;
    const value = fields[key];
    if (value === undefined) continue;
    if (count++ === maxEntries || budget.values <= 0) {
      record ??= recordOf(written);
      record["[cut]"] = true;
      break;
    }
    const name = record === undefined ? usualName(key) : "";
    if (name === "" || key.length > budget.characters || (before !== none && Object.hasOwn(before, key))) {
      record ??= recordOf(written);
      record[fieldName(text(key, budget))] = printableField(value, budget, fields);
    } else {
      budget.characters -= key.length;
      written += name + valueText(value, budget, fields);
    }
  }
  return record === undefined ? written : textOf(record);
}

function valueText(value: unknown, budget: Budget, fields: Fields): string {
  const usual = typeof value === "string" || typeof value === "boolean" || Number.isFinite(value);
  if (!usual) return JSON.stringify(printableField(value, budget, fields));
  budget.values--;
  return typeof value === "string" ? quoted(value, budget) : String(value);
}

/** The longest text that is checked here. JSON.stringify is faster for longer ones. */
const maxShort = 64;

/** Returns `value` as JSON, bounded and without passwords, as by `text`. */
export function quoted(value: string, budget: Budget): string {
  if (value.length > maxShort || value.length > budget.characters || !isUsual(value)) {
    return JSON.stringify(text(value, budget));
  }
  budget.characters -= value.length;
  return `"${value}"`;
}

/**
 * Returns true if JSON escapes nothing in it, and it has neither half a surrogate pair nor a URL's
 * "://".
 */
function isUsual(value: string): boolean {
  for (let at = 0; at < value.length; at++) {
    const code = value.charCodeAt(at);
    if (code < 0x20 || code === 0x22 || code === 0x5c || (code >= 0xd800 && code <= 0xdfff)) return false;
    if (code === 0x2f && at > 0 && value.charCodeAt(at - 1) === 0x3a) return false;
  }
  return true;
}

// Keys are few and repeat, so each is checked once. Bounded, since keys may be made of data.
const names = new Map<string, string>();
const maxNames = 1_000;
const usualKey = /^(?!error\.|fields\.)[A-Za-z_][\w.-]*$/;

/** Returns `,"key":` for a key that is written as it is, or an empty string. */
function usualName(key: string): string {
  if (key.length > maxShort) return "";
  let name = names.get(key);
  if (name === undefined) {
    name = usualKey.test(key) && !reserved.has(key) ? `,"${key}":` : "";
    if (names.size < maxNames) names.set(key, name);
  }
  return name;
}

const reserved = new Set(["time", "level", "service", "message", "trace_id", "span_id"]);

/** Renames a field that has a name of the line itself, by which readers search. */
function fieldName(key: string): string {
  return reserved.has(key) || key.startsWith("error.") ? `fields.${key}` : key;
}

// No prototype, so that __proto__ is a key like any other.
const recordOf = (line: string): Record<string, Json> => Object.assign(Object.create(null), JSON.parse(`${line}}`));

const textOf = (record: Record<string, Json>): string => JSON.stringify(record).slice(0, -1);
