import type { DescField, DescMessage, JsonObject, JsonValue } from "@bufbuild/protobuf";
import { ScalarType } from "@bufbuild/protobuf";
import { fieldPath, isQueryValue, isWrapper } from "../descriptors/fields.ts";
import { joinPath } from "../json/scan.ts";
import type { Violations } from "../json/violations.ts";

/** A field that a path variable or a query parameter sets: made once for those of a template. */
export interface Parameter {
  /** As a violation calls it. */
  readonly label: string;
  /** The messages on the way to the field. */
  readonly outer: readonly DescField[];
  readonly field: DescField;
}

/** The field a parameter's name leads to, or why it leads nowhere. */
export function parameterNamed(message: DescMessage, name: string): Parameter | { readonly problem: string } {
  const fields = fieldPath(message, name);
  if ("unknown" in fields) return { problem: "unknown parameter" };
  const field = fields.at(-1);
  if (field === undefined || !isQueryValue(field)) return { problem: "cannot be given as a parameter" };
  return { label: joinLabel(name), outer: fields.slice(0, -1), field };
}

/**
 * Writes one path variable or query parameter into `target`, the JSON form of the request, under the field's JSON name.
 * The values stay as they were given where proto3 JSON reads them from strings; `checkMessage` judges them afterwards.
 */
export function putParameter(
  { label, outer, field }: Parameter,
  values: readonly string[],
  target: JsonObject,
  violations: Violations,
): void {
  if (field.fieldKind !== "list" && values.length > 1)
    return violations.add(label, `expected one value, found ${values.length}`);

  let inside = target;
  for (const { jsonName } of outer) inside = (inside[jsonName] ??= {}) as JsonObject;
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

/** A parameter's name as violations write paths. */
export function joinLabel(name: string): string {
  return name.split(".").reduce((path, part) => joinPath(path, part), "");
}
