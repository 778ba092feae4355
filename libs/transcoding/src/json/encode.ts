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

/**
 * A message as proto3 JSON with unset fields emitted as grpc-gateway emits them (EmitUnpopulated): zero values, empty
 * lists and maps, null for an unset message; nothing for an unset member of a oneof and an unset `optional` field.
 */
export function encodeMessage(message: DescMessage, value: Message, registry: Registry): JsonValue {
  return withNulls(message, toJson(message, value, { alwaysEmitImplicit: true, registry }));
}

/** `toJson` has no option for the nulls, so they are put in afterwards, in the order of the fields' numbers. */
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

/** Whether a field that is not set is emitted as null. */
export function isNullWhenUnset(field: DescField): boolean {
  if (field.fieldKind === "list" || field.fieldKind === "map" || field.oneof !== undefined) return false;
  if (field.proto.proto3Optional) return false;
  return field.fieldKind === "message" || field.presence !== FeatureSet_FieldPresence.IMPLICIT;
}

/** Whether the JSON form is an object with a key per field. */
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

/** Whether a null can stand anywhere inside: most answers are spared the second pass. */
function needsNulls(message: DescMessage): boolean {
  let answer = needing.get(message);
  if (answer === undefined) {
    answer = [...reachable(message)].some((inner) => inner.fields.some(isNullWhenUnset));
    needing.set(message, answer);
  }
  return answer;
}

/** The message and all it holds. A set that grows while it is walked: a message may contain itself. */
function reachable(message: DescMessage): ReadonlySet<DescMessage> {
  const found = new Set([message]);
  for (const { fields } of found) {
    for (const { message: inner } of fields) if (inner !== undefined && isPlain(inner)) found.add(inner);
  }
  return found;
}
