import type { Fields } from "./logger.ts";
import { type Budget, type Json, maxEntries, printable, printableField, text } from "./printable.ts";

export const none: Fields = {};

/**
 * `line`, an object's JSON without its closing brace, with `fields` at its end. It is what JSON.stringify makes of the
 * record, written in one pass: a line of access log has eight small values, and copying them first costs more than writing
 * them. `before` are fields that `line` has already. Fields that cannot be read are left out.
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
    return line; // A getter, a toJSON or a proxy that throws must not take the caller down.
  }
}

function isPlain(fields: Fields): boolean {
  if (typeof fields !== "object" || fields === null) return false; // A caller may be mistaken.
  return Object.getPrototypeOf(fields) === Object.prototype && !("toJSON" in fields);
}

function addPlain(line: string, fields: Fields, budget: Budget, before: Fields): string {
  if (budget.values-- <= 0) return line;
  let written = line;
  // From the first key on that may not simply come last: one that is there already, is renamed, or sorts first (a number).
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

/** Longer ones are left to the engine, which looks at many characters at a time. */
const maxShort = 64;

/** `value` as JSON, bounded and without passwords as `text` has it. */
export function quoted(value: string, budget: Budget): string {
  if (value.length > maxShort || value.length > budget.characters || !isUsual(value)) {
    return JSON.stringify(text(value, budget));
  }
  budget.characters -= value.length;
  return `"${value}"`;
}

/** Whether nothing in it is escaped in JSON, half of a surrogate pair, or the "://" of a URL. */
function isUsual(value: string): boolean {
  for (let at = 0; at < value.length; at++) {
    const code = value.charCodeAt(at);
    if (code < 0x20 || code === 0x22 || code === 0x5c || (code >= 0xd800 && code <= 0xdfff)) return false;
    if (code === 0x2f && at > 0 && value.charCodeAt(at - 1) === 0x3a) return false;
  }
  return true;
}

// Keys are few and come again: each is looked at once. Bounded, for those that are made of data.
const names = new Map<string, string>();
const maxNames = 1_000;
const usualKey = /^(?!error\.|fields\.)[A-Za-z_][\w.-]*$/;

/** `,"key":` of a key that is written as it is, after the ones before it; else empty. */
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

/** A field may not pass itself off as the line's own: a reader searches by these. */
function fieldName(key: string): string {
  return reserved.has(key) || key.startsWith("error.") ? `fields.${key}` : key;
}

// No prototype: a key called __proto__ is then a key like any other.
const recordOf = (line: string): Record<string, Json> => Object.assign(Object.create(null), JSON.parse(`${line}}`));

const textOf = (record: Record<string, Json>): string => JSON.stringify(record).slice(0, -1);
