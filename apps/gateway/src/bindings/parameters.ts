import type { DescField, DescMessage, JsonObject, JsonValue } from "@bufbuild/protobuf";
import { ScalarType } from "@bufbuild/protobuf";
import { joinPath } from "../json/scan.ts";
import type { Violations } from "../json/violations.ts";
import { fieldPath, isQueryValue, isWrapper } from "./fields.ts";

/**
 * Writes one path variable or query parameter into `target`, the JSON form of the request, under the field's JSON name.
 * The values stay as they were given where proto3 JSON reads them from strings; `checkMessage` judges them afterwards.
 */
export function putParameter(
  message: DescMessage,
  name: string,
  values: readonly string[],
  target: JsonObject,
  violations: Violations,
): void {
  const fields = fieldPath(message, name);
  const label = joinLabel(name);
  if ("unknown" in fields) return violations.add(label, "unknown parameter");
  const field = fields.at(-1);
  if (field === undefined || !isQueryValue(field)) return violations.add(label, "cannot be given as a parameter");
  if (field.fieldKind !== "list" && values.length > 1)
    return violations.add(label, `expected one value, found ${values.length}`);

  let inside = target;
  for (const outer of fields.slice(0, -1)) inside = (inside[outer.jsonName] ??= {}) as JsonObject;
  if (inside[field.jsonName] !== undefined) return violations.add(label, "given under both of its names");
  const converted = values.map((value) => toJsonValue(field, value));
  inside[field.jsonName] = field.fieldKind === "list" ? converted : (converted[0] ?? null);
}

/** The text of a parameter as the JSON value its type has: only booleans and enums given by number are no strings there. */
function toJsonValue(field: DescField, text: string): JsonValue {
  const inner = field.message !== undefined && isWrapper(field.message) ? field.message.fields[0] : undefined;
  if (inner !== undefined) return toJsonValue(inner, text);
  if (field.scalar === ScalarType.STRING || field.scalar === ScalarType.BYTES) return text;
  // An empty box of a form: no number, no time, no enum has an empty text.
  if (text === "") return null;
  if (field.scalar === ScalarType.BOOL && (text === "true" || text === "false")) return text === "true";
  if (field.enum !== undefined && /^-?\d{1,10}$/.test(text)) return Number(text);
  return text;
}

function joinLabel(name: string): string {
  return name.split(".").reduce((path, part) => joinPath(path, part), "");
}
