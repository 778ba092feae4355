import type { DescField, DescMessage, JsonObject, JsonValue } from "@bufbuild/protobuf";
import { ScalarType } from "@bufbuild/protobuf";
import { fieldPath, isQueryValue, isWrapper } from "../descriptors/fields.ts";
import { joinPath } from "../json/scan.ts";
import type { Violations } from "../json/violations.ts";

/** A field that a path variable or a query parameter sets. Those of templates are resolved once. */
export interface Parameter {
  /** The path that violations use. */
  readonly label: string;
  /** The messages that contain the field, from the outside in. */
  readonly outer: readonly DescField[];
  readonly field: DescField;
}

/** Resolves a parameter's name to its field, or returns the problem with it. */
export function parameterNamed(message: DescMessage, name: string): Parameter | { readonly problem: string } {
  const fields = fieldPath(message, name);
  if ("unknown" in fields) return { problem: "unknown parameter" };
  const field = fields.at(-1);
  if (field === undefined || !isQueryValue(field)) return { problem: "cannot be set by a parameter" };
  return { label: joinLabel(name), outer: fields.slice(0, -1), field };
}

/**
 * Writes a path variable or query parameter into `target`, the JSON form of the request, under the
 * field's JSON name. Values stay text where proto3 JSON reads strings; `checkMessage` checks them
 * later.
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
  if (inside[field.jsonName] !== undefined) return violations.add(label, "set twice, under both of its names");
  const converted = values.map((value) => toJsonValue(field, value));
  inside[field.jsonName] = field.fieldKind === "list" ? converted : (converted[0] ?? null);
}

/**
 * Converts a parameter's text to JSON of its type. Only booleans and enums by number are no strings
 * there.
 */
function toJsonValue(field: DescField, text: string): JsonValue {
  const inner = field.message !== undefined && isWrapper(field.message) ? field.message.fields[0] : undefined;
  if (inner !== undefined) return toJsonValue(inner, text);
  if (field.scalar === ScalarType.STRING || field.scalar === ScalarType.BYTES) return text;
  // An empty field of a form counts as absent: no number, time or enum is empty.
  if (text === "") return null;
  if (field.scalar === ScalarType.BOOL && (text === "true" || text === "false")) return text === "true";
  if (field.enum !== undefined && /^-?\d{1,10}$/.test(text)) return Number(text);
  return text;
}

/** Writes a parameter's name as a path in violations. */
export function joinLabel(name: string): string {
  return name.split(".").reduce((path, part) => joinPath(path, part), "");
}
