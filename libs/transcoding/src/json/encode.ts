import {
  type DescField,
  type DescMessage,
  type JsonObject,
  type JsonValue,
  type Message,
  type Registry,
  toJson,
} from "@bufbuild/protobuf";
import { FeatureSet_FieldPresence } from "@bufbuild/protobuf/wkt";
import { isWrapper } from "../descriptors/fields.ts";
import { isWellKnown } from "./check-well-known.ts";
import { withShortFloats } from "./short-float.ts";

/**
 * Converts a message to proto3 JSON. Unset fields are written as grpc-gateway writes them
 * (EmitUnpopulated): zero values, empty lists and maps, null for a message; nothing for an unset
 * member of a oneof or an unset `optional` field.
 */
export function encodeMessage(message: DescMessage, value: Message, registry: Registry): JsonValue {
  const json = toJson(message, value, { alwaysEmitImplicit: true, registry });
  return withNulls(message, withShortFloats(message, json, registry));
}

/** Adds nulls, in the order of the fields' numbers. `toJson` has no option for them. */
function withNulls(message: DescMessage, json: JsonValue): JsonValue {
  if (!isPlain(message) || !needsNulls(message)) return json;
  const from = json as JsonObject;
  const to: JsonObject = {};
  for (const field of inOrder(message)) {
    const value = from[field.jsonName];
    if (value !== undefined) to[field.jsonName] = fieldWithNulls(field, value);
    else if (isNullWhenUnset(field)) to[field.jsonName] = null;
  }
  return to;
}

function fieldWithNulls(field: DescField, value: JsonValue): JsonValue {
  const inner = field.message;
  if (inner === undefined || value === null) return value;
  if (field.fieldKind === "list") return (value as JsonValue[]).map((item) => withNulls(inner, item));
  if (field.fieldKind === "map")
    return Object.fromEntries(Object.entries(value as JsonObject).map(([key, item]) => [key, withNulls(inner, item)]));
  return withNulls(inner, value);
}

/** Returns true for a field that is written as null if it is unset. */
export function isNullWhenUnset(field: DescField): boolean {
  if (field.fieldKind === "list" || field.fieldKind === "map" || field.oneof !== undefined) return false;
  if (field.proto.proto3Optional) return false;
  return field.fieldKind === "message" || field.presence !== FeatureSet_FieldPresence.IMPLICIT;
}

/** Returns true for a message whose JSON is an object with a key per field. */
function isPlain(message: DescMessage): boolean {
  return !isWellKnown(message) && !isWrapper(message);
}

const ordered = new WeakMap<DescMessage, readonly DescField[]>();

function inOrder(message: DescMessage): readonly DescField[] {
  let fields = ordered.get(message);
  if (fields === undefined) {
    fields = message.fields.toSorted((a, b) => a.number - b.number);
    ordered.set(message, fields);
  }
  return fields;
}

const needing = new WeakMap<DescMessage, boolean>();

/**
 * Returns true for a message that can have a null at any depth. Most messages need no second pass.
 */
function needsNulls(message: DescMessage): boolean {
  let answer = needing.get(message);
  if (answer === undefined) {
    answer = [...reachable(message)].some((inner) => inner.fields.some(isNullWhenUnset));
    needing.set(message, answer);
  }
  return answer;
}

/**
 * Collects the message and all messages inside it. The set grows while it is iterated, since
 * messages can recurse.
 */
function reachable(message: DescMessage): ReadonlySet<DescMessage> {
  const found = new Set([message]);
  for (const { fields } of found) {
    for (const { message: inner } of fields) if (inner !== undefined && isPlain(inner)) found.add(inner);
  }
  return found;
}
