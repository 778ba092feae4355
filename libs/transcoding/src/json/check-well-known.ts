import { type DescMessage, fromJson, type JsonValue } from "@bufbuild/protobuf";
import { isDynamic } from "./check-dynamic.ts";

const expectations: Readonly<Record<string, string>> = {
  "google.protobuf.Timestamp": 'a time as in RFC 3339, such as "2026-01-31T09:30:00Z"',
  "google.protobuf.Duration": 'a length of time in seconds, such as "1.5s"',
  "google.protobuf.FieldMask": 'names of fields in lowerCamelCase, separated by ","',
};

/**
 * Returns true for a message with a JSON form of its own, except for wrappers, which are read as
 * their value.
 */
export function isWellKnown(message: DescMessage): boolean {
  const { typeName } = message;
  return Object.hasOwn(expectations, typeName) || isDynamic(typeName) || typeName === anyType;
}

/** The type that holds a message of any other type. Its JSON is checked as that of the message. */
export const anyType = "google.protobuf.Any";

/**
 * Checks the JSON of a well-known type that is one string. Returns the expectation that it misses,
 * or undefined if it is valid.
 */
export function checkWellKnown(message: DescMessage, value: JsonValue): string | undefined {
  try {
    fromJson(message, value);
  } catch {
    return expectations[message.typeName] ?? message.typeName;
  }
  if (message.typeName === "google.protobuf.Timestamp") return checkTime(String(value));
  // fromJson ignores text after the "s" and accepts more digits than nanoseconds have.
  if (message.typeName === "google.protobuf.Duration" && !/^-?\d+(?:\.\d{1,9})?s$/.test(String(value)))
    return expectations[message.typeName];
  // fromJson accepts empty names, spaces and other text.
  if (message.typeName === "google.protobuf.FieldMask" && !fieldMask.test(String(value)))
    return expectations[message.typeName];
  return undefined;
}

const fieldName = "[A-Za-z][A-Za-z0-9]*";
const fieldPath = `${fieldName}(?:\\.${fieldName})*`;
const fieldMask = new RegExp(`^(?:${fieldPath}(?:,${fieldPath})*)?$`);

/** JavaScript reads 24:00 as the next midnight, and offsets of 24 hours and more. */
function checkTime(time: string): string | undefined {
  if (!/T(?:[01]\d|2[0-3]):[^Z+-]*(?:Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)$/.test(time))
    return "hours from 00 to 23, minutes from 00 to 59";
  return isCalendarDay(time) ? undefined : "a day that exists in the calendar";
}

/** JavaScript reads February 30th as March 2nd. */
function isCalendarDay(time: string): boolean {
  const [year = 0, month = 0, day = 0] = time.slice(0, 10).split("-").map(Number);
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  // A day beyond the end of its month becomes another day of the next month.
  return date.getUTCDate() === day;
}
