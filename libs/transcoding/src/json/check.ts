import type { DescEnum, DescField, DescMessage, JsonObject, JsonValue, Registry } from "@bufbuild/protobuf";
import { fieldNamed, isWrapper } from "../descriptors/fields.ts";
import { isDefaultUrl, typeNameOf } from "./any.ts";
import { checkDynamic, isDynamic, tooDeep } from "./check-dynamic.ts";
import { checkKey, checkScalar, plainScalar } from "./check-scalar.ts";
import { anyType, checkWellKnown, isWellKnown } from "./check-well-known.ts";
import { describeValue } from "./describe-value.ts";
import { joinPath, maxDepth } from "./scan.ts";
import { setOwn } from "./set-own.ts";
import type { Violations } from "./violations.ts";

/** The destination of violations, and the types that a google.protobuf.Any may hold. */
export interface CheckContext {
  readonly violations: Violations;
  readonly registry: Registry;
  /**
   * Returns true if the number at a path had another value in the JSON text: no double holds it.
   * False for all if absent.
   */
  readonly isRounded?: ((path: string) => boolean) | undefined;
  /** Called if a google.protobuf.Any names its type by another URL than the usual one. */
  readonly onTypeUrl?: (() => void) | undefined;
}

/**
 * Checks a JSON value against a message. Reports each field that does not fit by its path, with
 * what was expected and what was found. `fromJson` refuses the same values, but stops at the first
 * one and does not name items of lists.
 *
 * Returns the value in a form that `fromJson` reads: proto3 JSON accepts more forms of numbers.
 * They are replaced within the value. `depth` counts the messages around the value, as decoders do.
 */
export function checkMessage(
  message: DescMessage,
  value: JsonValue,
  path: string,
  context: CheckContext,
  depth = 1,
): JsonValue {
  const { violations } = context;
  if (violations.full) return value;
  if (depth > maxDepth) {
    violations.add(path, tooDeep);
    return value;
  }
  const [only] = message.fields;
  if (isWrapper(message) && only !== undefined) return checkSingle(only, value, path, context, depth);
  if (message.typeName === anyType) checkAny(value, path, context);
  else if (isDynamic(message.typeName)) checkDynamic(message.typeName, value, path, violations, depth);
  else if (isWellKnown(message)) report(checkWellKnown(message, value), value, path, context);
  else if (value === null || typeof value !== "object" || Array.isArray(value))
    report("an object", value, path, context);
  else checkFields(message, value, path, context, depth);
  return value;
}

function checkFields(
  message: DescMessage,
  object: JsonObject,
  path: string,
  context: CheckContext,
  depth: number,
  isInAny = false,
): void {
  const seen = new Map<string, string>();
  for (const [key, value] of Object.entries(object)) {
    if (isInAny && key === "@type") continue;
    const keyPath = joinPath(path, key);
    const field = fieldNamed(message, key);
    if (field === undefined) {
      context.violations.add(keyPath, "unknown field");
      continue;
    }
    const isUnset = value === null && !hasNull(field);
    // A field under both of its names, or two fields of one oneof.
    const slot = !isUnset && field.oneof !== undefined ? `oneof ${field.oneof.name}` : field.name;
    const other = seen.get(slot);
    if (other !== undefined) context.violations.add(keyPath, `cannot be combined with ${other}`);
    seen.set(slot, keyPath);
    if (!isUnset) replace(object, key, value, checkField(field, value, keyPath, context, depth));
  }
}

/** Returns true for a field that null sets. Every other field is unset by null. */
function hasNull(field: DescField): boolean {
  if (field.fieldKind === "list" || field.fieldKind === "map") return false;
  return isNullValue(field.enum) || field.message?.typeName === "google.protobuf.Value";
}

function isNullValue(type: DescEnum | undefined): boolean {
  return type?.typeName === "google.protobuf.NullValue";
}

function checkField(field: DescField, value: JsonValue, path: string, context: CheckContext, depth: number): JsonValue {
  if (field.fieldKind === "list") {
    if (!Array.isArray(value)) return report("a list", value, path, context);
    for (const [index, item] of value.entries()) {
      if (context.violations.full) return value;
      const checked = checkSingle(field, item, `${path}[${index}]`, context, depth);
      if (checked !== item) value[index] = checked;
    }
    return value;
  }
  if (field.fieldKind === "map") {
    if (value === null || typeof value !== "object" || Array.isArray(value))
      return report("an object", value, path, context);
    for (const [key, item] of Object.entries(value)) {
      if (context.violations.full) return value;
      const keyPath = joinPath(path, key);
      const expected = checkKey(field.mapKey, key);
      if (expected !== undefined) context.violations.add(keyPath, `expected ${expected} as the key`);
      replace(value, key, item, checkSingle(field, item, keyPath, context, depth));
    }
    return value;
  }
  return checkSingle(field, value, path, context, depth);
}

/** Checks one value: a singular field, an item of a list, or the value of a map's entry. */
function checkSingle(
  field: DescField,
  value: JsonValue,
  path: string,
  context: CheckContext,
  depth: number,
): JsonValue {
  if (field.message !== undefined) return checkMessage(field.message, value, path, context, depth + 1);
  if (field.enum !== undefined) return report(checkEnum(field.enum, value), value, path, context);
  const expected = checkScalar(field.scalar, value, () => context.isRounded?.(path) ?? false);
  return expected === undefined ? plainScalar(field.scalar, value) : report(expected, value, path, context);
}

function checkEnum(type: DescEnum, value: JsonValue): string | undefined {
  if (isNullValue(type)) return value === null || value === "NULL_VALUE" ? undefined : "null";
  const known =
    typeof value === "string"
      ? type.values.some((one) => one.name === value)
      : typeof value === "number" && (type.open ? value === (value | 0) : Object.hasOwn(type.value, value));
  if (known) return undefined;
  const names = type.values.map((one) => one.name);
  const list = names.length > 20 ? `${names.slice(0, 20).join(", ")}, …` : names.join(", ");
  return `one of ${list}${type.open && typeof value === "number" ? ", or a number of 32 bits" : ""}`;
}

/** Checks the message in a google.protobuf.Any. It is decoded on its own: its depth starts at 1. */
function checkAny(value: JsonValue, path: string, context: CheckContext): void {
  const expected = 'an object whose "@type" names a known message';
  if (value === null || typeof value !== "object" || Array.isArray(value))
    return void report(expected, value, path, context);
  if (Object.keys(value).length === 0) return;
  const url = value["@type"];
  const message = typeof url === "string" ? context.registry.getMessage(typeNameOf(url)) : undefined;
  if (typeof url !== "string" || message === undefined) return void report(expected, value, path, context);
  if (!isDefaultUrl(url)) context.onTypeUrl?.();
  if (!isWellKnown(message) && !isWrapper(message)) return checkFields(message, value, path, context, 1, true);
  for (const key of Object.keys(value))
    if (key !== "@type" && key !== "value") context.violations.add(joinPath(path, key), "unknown field");
  const inner = value["value"];
  if (inner === undefined) return void report(`an object with "@type" and "value"`, value, path, context);
  replace(value, "value", inner, checkMessage(message, inner, joinPath(path, "value"), context));
}

function replace(object: JsonObject, key: string, before: JsonValue, after: JsonValue): void {
  if (after !== before) setOwn(object, key, after);
}

function report(expected: string | undefined, value: JsonValue, path: string, { violations }: CheckContext): JsonValue {
  if (expected !== undefined) violations.add(path, `expected ${expected}, found ${describeValue(value)}`);
  return value;
}
