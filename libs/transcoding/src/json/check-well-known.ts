import { type DescMessage, fromJson, type JsonValue, type Registry } from "@bufbuild/protobuf";

const expectations: Readonly<Record<string, string>> = {
  "google.protobuf.Timestamp": 'a time as in RFC 3339, such as "2026-01-31T09:30:00Z"',
  "google.protobuf.Duration": 'a length of time in seconds, such as "1.5s"',
  "google.protobuf.FieldMask": 'names of fields in lowerCamelCase, separated by ","',
  "google.protobuf.Struct": "an object",
  "google.protobuf.ListValue": "a list",
  "google.protobuf.Value": "any JSON value",
  "google.protobuf.Any": 'an object whose "@type" names a known message',
};

/**
 * Returns true for a message with a JSON form of its own, except for wrappers, which are read as
 * their value.
 */
export function isWellKnown(message: DescMessage): boolean {
  return Object.hasOwn(expectations, message.typeName);
}

/**
 * Checks the JSON of a well-known type. Returns the expectation that it misses, or undefined if it
 * is valid.
 */
export function checkWellKnown(message: DescMessage, value: JsonValue, registry: Registry): string | undefined {
  try {
    fromJson(message, value, { registry });
  } catch {
    return expectations[message.typeName] ?? message.typeName;
  }
  if (message.typeName === "google.protobuf.Timestamp")
    return isCalendarDay(String(value)) ? undefined : "a day that exists in the calendar";
  // fromJson ignores text after the "s" and accepts more digits than nanoseconds have.
  if (message.typeName === "google.protobuf.Duration" && !/^-?\d+(?:\.\d{1,9})?s$/.test(String(value)))
    return expectations[message.typeName];
  return undefined;
}

/** JavaScript reads February 30th as March 2nd. */
function isCalendarDay(time: string): boolean {
  const [year = 0, month = 0, day = 0] = time.slice(0, 10).split("-").map(Number);
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  // A day beyond the end of its month becomes another day of the next month.
  return date.getUTCDate() === day;
}
