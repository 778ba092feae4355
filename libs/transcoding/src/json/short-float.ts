import { type DescMessage, type JsonObject, type JsonValue, type Registry, ScalarType } from "@bufbuild/protobuf";
import { isWrapper } from "../descriptors/fields.ts";
import { typeNameOf } from "./any.ts";
import { anyType, isWellKnown } from "./check-well-known.ts";
import { setOwn } from "./set-own.ts";

/**
 * Returns the number with the fewest digits that reads back as the same float: 0.1 for
 * 0.10000000149011612.
 */
export function shortFloat(value: number): number {
  if (value === 0) return value;
  // Six digits are enough for each number that has no more, except for the smallest numbers. Nine
  // are enough for all floats.
  for (let digits = Math.abs(value) < 1.2e-38 ? 1 : 6; digits < 9; digits++) {
    const short = Number(value.toPrecision(digits));
    if (Math.fround(short) === value) return short;
  }
  return Number.isFinite(value) ? Number(value.toPrecision(9)) : value;
}

/**
 * Shortens all floats within the JSON of a message, in place, and returns it. `toJson` writes the
 * digits of the double.
 */
export function withShortFloats(message: DescMessage, json: JsonValue, registry: Registry): JsonValue {
  if (!mayHoldFloats(message) || json === null) return json;
  const [only] = message.fields;
  if (isWrapper(message)) return shortened(only?.scalar, json);
  if (typeof json !== "object" || Array.isArray(json)) return json;
  if (message.typeName === anyType) {
    const url = json["@type"];
    const inner = typeof url === "string" ? registry.getMessage(typeNameOf(url)) : undefined;
    if (inner === undefined) return json;
    if (!isWellKnown(inner) && !isWrapper(inner)) return withShortFloats(inner, json, registry);
    const value = json["value"];
    if (value !== undefined) json["value"] = withShortFloats(inner, value, registry);
    return json;
  }
  for (const field of message.fields) {
    const value = json[field.jsonName];
    const inner = field.message;
    if (value === undefined || (inner === undefined ? field.scalar !== ScalarType.FLOAT : !mayHoldFloats(inner)))
      continue;
    const one = (item: JsonValue): JsonValue =>
      inner === undefined ? shortened(ScalarType.FLOAT, item) : withShortFloats(inner, item, registry);
    if (field.fieldKind === "list") setOwn(json, field.jsonName, (value as JsonValue[]).map(one));
    else if (field.fieldKind === "map")
      for (const [key, item] of Object.entries(value as JsonObject)) setOwn(value as JsonObject, key, one(item));
    else setOwn(json, field.jsonName, one(value));
  }
  return json;
}

function shortened(type: ScalarType | undefined, value: JsonValue): JsonValue {
  return type === ScalarType.FLOAT && typeof value === "number" ? shortFloat(value) : value;
}

const holding = new WeakMap<DescMessage, boolean>();

/** Returns true for a message that may have a float at any depth, also in a google.protobuf.Any. */
function mayHoldFloats(message: DescMessage): boolean {
  let answer = holding.get(message);
  if (answer === undefined) {
    // The set grows while it is iterated, since messages can recurse.
    const found = new Set([message]);
    for (const { fields } of found) for (const { message: inner } of fields) if (inner !== undefined) found.add(inner);
    answer = [...found].some(
      ({ typeName, fields }) => typeName === anyType || fields.some(({ scalar }) => scalar === ScalarType.FLOAT),
    );
    holding.set(message, answer);
  }
  return answer;
}
