import {
  type DescEnum,
  type DescField,
  type DescMessage,
  type JsonObject,
  type JsonValue,
  type Registry,
  ScalarType,
} from "@bufbuild/protobuf";
import { fieldNamed, isWrapper } from "../descriptors/fields.ts";
import { checkScalar } from "./check-scalar.ts";
import { checkWellKnown, isWellKnown } from "./check-well-known.ts";
import { describeValue } from "./describe-value.ts";
import { joinPath, maxDepth } from "./scan.ts";
import type { Violations } from "./violations.ts";

/** The destination of violations, and the types that a google.protobuf.Any may hold. */
export interface CheckContext {
  readonly violations: Violations;
  readonly registry: Registry;
}

/**
 * Checks a JSON value against a message. Reports each field that does not fit by its path, with
 * what was expected and what was found. `fromJson` refuses the same values, but stops at the first
 * one and does not name items of lists.
 */
export function checkMessage(
  message: DescMessage,
  value: JsonValue,
  path: string,
  context: CheckContext,
  depth = 0,
): void {
  if (context.violations.full) return;
  if (isWellKnown(message)) return report(checkWellKnown(message, value, context.registry), value, path, context);
  const [only] = message.fields;
  if (isWrapper(message) && only !== undefined)
    return value === null ? undefined : checkSingle(only, value, path, context, depth);
  if (value === null || typeof value !== "object" || Array.isArray(value))
    return report("an object", value, path, context);
  if (depth === maxDepth) return context.violations.add(path, `nested more than ${maxDepth} levels deep`);
  checkFields(message, value, path, context, depth);
}

function checkFields(
  message: DescMessage,
  object: JsonObject,
  path: string,
  context: CheckContext,
  depth: number,
): void {
  const seen = new Map<string, string>();
  for (const [key, value] of Object.entries(object)) {
    const keyPath = joinPath(path, key);
    const field = fieldNamed(message, key);
    if (field === undefined) {
      context.violations.add(keyPath, "unknown field");
      continue;
    }
    // A field under both of its names, or two fields of one oneof.
    const slot = value !== null && field.oneof !== undefined ? `oneof ${field.oneof.name}` : field.name;
    const other = seen.get(slot);
    if (other !== undefined) context.violations.add(keyPath, `cannot be combined with ${other}`);
    seen.set(slot, keyPath);
    checkField(field, value, keyPath, context, depth);
  }
}

function checkField(field: DescField, value: JsonValue, path: string, context: CheckContext, depth: number): void {
  // For every field null means unset.
  if (value === null) return;
  if (field.fieldKind === "list") {
    if (!Array.isArray(value)) return report("a list", value, path, context);
    for (const [index, item] of value.entries()) {
      if (context.violations.full) return;
      checkSingle(field, item, `${path}[${index}]`, context, depth);
    }
    return;
  }
  if (field.fieldKind === "map") {
    if (typeof value !== "object" || Array.isArray(value)) return report("an object", value, path, context);
    for (const [key, item] of Object.entries(value)) {
      if (context.violations.full) return;
      const keyPath = joinPath(path, key);
      const expected = checkKey(field.mapKey, key);
      if (expected !== undefined) context.violations.add(keyPath, `expected ${expected} as the key`);
      checkSingle(field, item, keyPath, context, depth);
    }
    return;
  }
  checkSingle(field, value, path, context, depth);
}

/** Checks one value: a singular field, an item of a list, or the value of a map's entry. */
function checkSingle(field: DescField, value: JsonValue, path: string, context: CheckContext, depth: number): void {
  if (field.message !== undefined) return checkMessage(field.message, value, path, context, depth + 1);
  report(
    field.enum !== undefined ? checkEnum(field.enum, value) : checkScalar(field.scalar, value),
    value,
    path,
    context,
  );
}

function checkEnum(type: DescEnum, value: JsonValue): string | undefined {
  if (type.typeName === "google.protobuf.NullValue")
    return value === null || value === "NULL_VALUE" ? undefined : "null";
  const known =
    typeof value === "string"
      ? type.values.some((one) => one.name === value)
      : typeof value === "number" && Object.hasOwn(type.value, value);
  if (known) return undefined;
  const names = type.values.map((one) => one.name);
  return `one of ${names.length > 20 ? `${names.slice(0, 20).join(", ")}, …` : names.join(", ")}`;
}

/** Checks the key of a map. JSON keys are strings: "true" stands for true, "7" for 7. */
function checkKey(type: ScalarType, key: string): string | undefined {
  if (type === ScalarType.BOOL) return key === "true" || key === "false" ? undefined : '"true" or "false"';
  return checkScalar(type, key);
}

function report(expected: string | undefined, value: JsonValue, path: string, { violations }: CheckContext): void {
  if (expected !== undefined) violations.add(path, `expected ${expected}, found ${describeValue(value)}`);
}
