import type { DescField, DescMessage } from "@bufbuild/protobuf";

const byName = new WeakMap<DescMessage, ReadonlyMap<string, DescField>>();

/** Returns the field with this proto or JSON name; proto3 JSON accepts both. */
export function fieldNamed(message: DescMessage, name: string): DescField | undefined {
  let fields = byName.get(message);
  if (fields === undefined) {
    // JSON names last: they win over another field's proto name, since clients use JSON names.
    fields = new Map([
      ...message.fields.map((field) => [field.name, field] as const),
      ...message.fields.map((field) => [field.jsonName, field] as const),
    ]);
    byName.set(message, fields);
  }
  return fields.get(name);
}

/**
 * Resolves a path such as `order.customer_id` to its fields, or returns the part that is unknown.
 */
export function fieldPath(message: DescMessage, path: string): readonly DescField[] | { readonly unknown: string } {
  const found: DescField[] = [];
  let inside: DescMessage | undefined = message;
  const names = path.split(".");
  for (const [index, name] of names.entries()) {
    const field: DescField | undefined = inside === undefined ? undefined : fieldNamed(inside, name);
    if (field === undefined) return { unknown: names.slice(0, index + 1).join(".") };
    found.push(field);
    // Only a singular message has fields to go on with; a well-known type is one value.
    inside = field.fieldKind === "message" && !isOneValue(field.message) ? field.message : undefined;
  }
  return found;
}

/**
 * Returns true for well-known types whose JSON is one string, number or boolean: paths and queries
 * may set them.
 */
export function isOneValue(message: DescMessage): boolean {
  return oneValueTypes.has(message.typeName) || isWrapper(message);
}

const oneValueTypes = new Set(["google.protobuf.Timestamp", "google.protobuf.Duration", "google.protobuf.FieldMask"]);

/** Returns true for google.protobuf.StringValue and the like, whose JSON is their value or null. */
export function isWrapper(message: DescMessage): boolean {
  return /^google\.protobuf\.(Double|Float|U?Int(32|64)|Bool|String|Bytes)Value$/.test(message.typeName);
}

/** Returns true for a field that a path can set: one value, neither list nor map. */
export function isSingleValue(field: DescField): boolean {
  return (
    field.fieldKind === "scalar" ||
    field.fieldKind === "enum" ||
    (field.fieldKind === "message" && isOneValue(field.message))
  );
}

/**
 * Returns true for a field that a query can set: one value, or a list of such (the parameter
 * repeats).
 */
export function isQueryValue(field: DescField): boolean {
  if (field.fieldKind !== "list") return isSingleValue(field);
  return field.listKind !== "message" || isOneValue(field.message);
}
