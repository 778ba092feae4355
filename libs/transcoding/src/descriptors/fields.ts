import type { DescField, DescMessage } from "@bufbuild/protobuf";

const byName = new WeakMap<DescMessage, ReadonlyMap<string, DescField>>();

/** The field called `name`, in the proto or in JSON, as proto3 JSON accepts both. */
export function fieldNamed(message: DescMessage, name: string): DescField | undefined {
  let fields = byName.get(message);
  if (fields === undefined) {
    // JSON names last: where they clash with another field's proto name, the JSON name is the one a client means.
    fields = new Map([
      ...message.fields.map((field) => [field.name, field] as const),
      ...message.fields.map((field) => [field.jsonName, field] as const),
    ]);
    byName.set(message, fields);
  }
  return fields.get(name);
}

/** The fields along a path such as `order.customer_id`, or the part of it that is no field. */
export function fieldPath(message: DescMessage, path: string): readonly DescField[] | { readonly unknown: string } {
  const found: DescField[] = [];
  let inside: DescMessage | undefined = message;
  const names = path.split(".");
  for (const [index, name] of names.entries()) {
    const field: DescField | undefined = inside === undefined ? undefined : fieldNamed(inside, name);
    if (field === undefined) return { unknown: names.slice(0, index + 1).join(".") };
    found.push(field);
    // Only a singular message has fields to name; a well-known type is one value and has none.
    inside = field.fieldKind === "message" && !isOneValue(field.message) ? field.message : undefined;
  }
  return found;
}

/** Well-known types whose JSON is a single string, number or boolean: they can stand in a path or a query. */
export function isOneValue(message: DescMessage): boolean {
  return oneValueTypes.has(message.typeName) || isWrapper(message);
}

const oneValueTypes = new Set(["google.protobuf.Timestamp", "google.protobuf.Duration", "google.protobuf.FieldMask"]);

/** google.protobuf.StringValue and its like: in JSON the value they hold, or null. */
export function isWrapper(message: DescMessage): boolean {
  return /^google\.protobuf\.(Double|Float|U?Int(32|64)|Bool|String|Bytes)Value$/.test(message.typeName);
}

/** Whether a field can stand in a path: one value, neither list nor map. */
export function isSingleValue(field: DescField): boolean {
  return (
    field.fieldKind === "scalar" ||
    field.fieldKind === "enum" ||
    (field.fieldKind === "message" && isOneValue(field.message))
  );
}

/** Whether a field can stand in a query: one value, or a list of such (the parameter repeats). */
export function isQueryValue(field: DescField): boolean {
  if (field.fieldKind !== "list") return isSingleValue(field);
  return field.listKind !== "message" || isOneValue(field.message);
}
