import type { JsonValue } from "@bufbuild/protobuf";
import { describeValue } from "./describe-value.ts";
import { joinPath, maxDepth } from "./scan.ts";
import type { Violations } from "./violations.ts";

const dynamicTypes = new Set(["google.protobuf.Struct", "google.protobuf.ListValue", "google.protobuf.Value"]);

/** Returns true for the types of any JSON: google.protobuf.Value, Struct and ListValue. */
export function isDynamic(typeName: string): boolean {
  return dynamicTypes.has(typeName);
}

/**
 * Checks the JSON of a dynamic type. Any JSON fits but numbers beyond doubles, text that has no
 * UTF-8 form, and a depth that no decoder reads. `depth` counts the messages, this one included:
 * each list or object of a Value is two.
 */
export function checkDynamic(
  typeName: string,
  value: JsonValue,
  path: string,
  violations: Violations,
  depth: number,
): void {
  if (violations.full) return;
  if (depth > maxDepth) return violations.add(path, tooDeep);
  const isList = Array.isArray(value);
  const isObject = typeof value === "object" && value !== null && !isList;
  if (typeName === "google.protobuf.Value") {
    if (isList) return checkDynamic("google.protobuf.ListValue", value, path, violations, depth + 1);
    if (isObject) return checkDynamic("google.protobuf.Struct", value, path, violations, depth + 1);
    if (typeof value === "number" && !Number.isFinite(value))
      violations.add(path, `expected a number that a double can hold, found ${describeValue(value)}`);
    if (typeof value === "string" && !value.isWellFormed())
      violations.add(path, "expected a string without lone surrogates");
  } else if (typeName === "google.protobuf.ListValue") {
    if (!isList) return violations.add(path, `expected a list, found ${describeValue(value)}`);
    for (const [index, item] of value.entries())
      checkDynamic("google.protobuf.Value", item, `${path}[${index}]`, violations, depth + 1);
  } else {
    if (!isObject) return violations.add(path, `expected an object, found ${describeValue(value)}`);
    for (const [key, item] of Object.entries(value)) {
      const keyPath = joinPath(path, key);
      if (!key.isWellFormed()) violations.add(keyPath, "expected a key without lone surrogates");
      checkDynamic("google.protobuf.Value", item, keyPath, violations, depth + 1);
    }
  }
}

/** The description of a field that is nested too deeply for a decoder. */
export const tooDeep = `nested more than ${maxDepth} levels deep (a list or object in a google.protobuf.Value is 2 levels)`;
