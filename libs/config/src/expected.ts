/** The part of JSON Schema that zod writes for the schemas of settings. */
export interface JsonSchema {
  readonly type?: string | readonly string[];
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly items?: JsonSchema;
  readonly anyOf?: readonly JsonSchema[];
  readonly oneOf?: readonly JsonSchema[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly default?: unknown;
  readonly description?: string;
  readonly secret?: boolean;
  readonly live?: boolean;
  readonly minimum?: number;
  readonly exclusiveMinimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly format?: string;
  readonly pattern?: string;
}

/** Returns the types that a value of this schema may have, without null. */
export function typesOf(schema: JsonSchema): readonly string[] {
  const options = schema.anyOf ?? schema.oneOf;
  if (options) return [...new Set(options.flatMap(typesOf))];
  return [schema.type ?? []].flat().filter((type) => type !== "null");
}

/** Returns the types that an item may have if a value of this schema is a list. */
export function itemTypesOf(schema: JsonSchema): readonly string[] {
  const options = schema.anyOf ?? schema.oneOf ?? [];
  return [...new Set([...(schema.items ? typesOf(schema.items) : []), ...options.flatMap(itemTypesOf)])];
}

/**
 * Describes the values of a schema, for a settings table or an error: "a whole number from 0 to
 * 65535".
 */
export function expectedOf(schema: JsonSchema): string {
  if (schema.const !== undefined) return String(schema.const);
  if (schema.enum) return `one of ${schema.enum.join(", ")}`;
  const options = schema.anyOf ?? schema.oneOf;
  if (options) return either(options.filter((option) => option.type !== "null").map(expectedOf));
  return either(typesOf(schema).map((type) => ofType(type, schema))) || "a value";
}

function ofType(type: string, schema: JsonSchema): string {
  switch (type) {
    case "integer":
      return `a whole number${range(schema)}`;
    case "number":
      return `a number${range(schema)}`;
    case "boolean":
      return "true or false";
    case "array":
      return `a list${schema.items ? `, each ${expectedOf(schema.items)}` : ""}`;
    case "object":
      return "a map";
    default:
      if (schema.format === "uri") return "a URL";
      if (schema.pattern !== undefined) return `text like ${schema.pattern}`;
      return (schema.minLength ?? 0) > 0 ? "text that is not empty" : "text";
  }
}

function range({ minimum, exclusiveMinimum, maximum }: JsonSchema): string {
  const least = minimum === Number.MIN_SAFE_INTEGER ? undefined : minimum;
  const most = maximum === Number.MAX_SAFE_INTEGER ? undefined : maximum;
  if (least !== undefined && most !== undefined) return ` from ${least} to ${most}`;
  if (exclusiveMinimum !== undefined) return ` above ${exclusiveMinimum}`;
  if (least !== undefined) return `, at least ${least}`;
  return most === undefined ? "" : `, at most ${most}`;
}

function either(words: readonly string[]): string {
  return [...new Set(words)].join(" or ");
}
