import { type DescMessage, fromJson, type JsonValue, type Registry } from "@bufbuild/protobuf";

const expectations: Readonly<Record<string, string>> = {
  "google.protobuf.Timestamp": 'a time as in RFC 3339, such as "2026-01-31T09:30:00Z"',
  "google.protobuf.Duration": 'a length of time in seconds, such as "1.5s"',
  "google.protobuf.FieldMask": 'names of fields in lowerCamelCase, divided by ","',
  "google.protobuf.Struct": "an object",
  "google.protobuf.ListValue": "a list",
  "google.protobuf.Value": "any JSON value",
  "google.protobuf.Any": 'an object whose "@type" names a known message',
};

/** Whether a message has a JSON form of its own. The wrappers have one too, and are read as the value they hold. */
export function isWellKnown(message: DescMessage): boolean {
  return Object.hasOwn(expectations, message.typeName);
}

/** Why `value` is no JSON of a well-known type: what was expected instead. Undefined when it is one. */
export function checkWellKnown(message: DescMessage, value: JsonValue, registry: Registry): string | undefined {
  try {
    fromJson(message, value, { registry });
  } catch {
    return expectations[message.typeName] ?? message.typeName;
  }
  if (message.typeName === "google.protobuf.Timestamp")
    return isCalendarDay(String(value)) ? undefined : "a day that exists";
  // Unlike other readers, ours ignores what follows the "s", and takes more digits than there are nanoseconds.
  if (message.typeName === "google.protobuf.Duration" && !/^-?\d+(?:\.\d{1,9})?s$/.test(String(value)))
    return expectations[message.typeName];
  return undefined;
}

/** JavaScript reads February 30th as March 2nd. */
function isCalendarDay(time: string): boolean {
  const [year = 0, month = 0, day = 0] = time.slice(0, 10).split("-").map(Number);
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  // A day that is not in its month comes out as one of the next, and those have other numbers.
  return date.getUTCDate() === day;
}
