import { type DescEnum, type DescField, type DescMessage, ScalarType } from "@bufbuild/protobuf";
import { isWrapper } from "../descriptors/fields.ts";
import { boundsOf } from "./bounds.ts";
import { commentOf } from "./comments.ts";
import type { Schema } from "./types.ts";

/**
 * The schemas of all requested messages and of the types inside them, by their full proto names.
 */
export class Schemas {
  readonly #schemas = new Map<string, Schema>();

  /** Returns the schemas sorted by name, for `components.schemas`. */
  get all(): Readonly<Record<string, Schema>> {
    return Object.fromEntries([...this.#schemas].sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  /** Returns the schema of a message: a reference, or the schema itself for a well-known type. */
  message(message: DescMessage): Schema {
    const wellKnown = wellKnownTypes[message.typeName];
    if (wellKnown !== undefined) return wellKnown;
    const [only] = message.fields;
    if (isWrapper(message) && only !== undefined) return nullable(this.single(only));
    if (!this.#schemas.has(message.typeName)) {
      // Registered before its fields are visited, since messages can recurse.
      this.#schemas.set(message.typeName, {});
      this.#schemas.set(message.typeName, this.#object(message));
    }
    return { $ref: `#/components/schemas/${message.typeName}` };
  }

  /** Returns the schema of a field, with its list or map, and its comment. */
  field(field: DescField): Schema {
    const schema = this.#shape(field);
    const description = commentOf(field);
    return {
      ...schema,
      ...boundsOf(field),
      ...(description !== undefined && { description }),
      ...(field.deprecated && { deprecated: true }),
    };
  }

  /**
   * Returns the schema of one value of a field: the field itself, an item of its list, a value of
   * its map.
   */
  single(field: DescField): Schema {
    if (field.message !== undefined) return this.message(field.message);
    return field.enum !== undefined ? this.#enum(field.enum) : (scalars[field.scalar] ?? {});
  }

  #shape(field: DescField): Schema {
    if (field.fieldKind === "list") return { type: "array", items: this.single(field) };
    if (field.fieldKind === "map") return { type: "object", additionalProperties: this.single(field) };
    return field.fieldKind === "message" && field.oneof === undefined
      ? nullable(this.single(field))
      : this.single(field);
  }

  #object(message: DescMessage): Schema {
    const description = commentOf(message);
    return {
      type: "object",
      ...(description !== undefined && { description }),
      properties: Object.fromEntries(message.fields.map((field) => [field.jsonName, this.field(field)])),
      additionalProperties: false,
    };
  }

  #enum(type: DescEnum): Schema {
    if (type.typeName === "google.protobuf.NullValue") return { type: "null" };
    if (!this.#schemas.has(type.typeName)) {
      const values = type.values.map((value) => [value.name, commentOf(value)] as const);
      const documented = values
        .filter(([, comment]) => comment !== undefined)
        .map(([name, comment]) => `- \`${name}\`: ${comment}`);
      this.#schemas.set(type.typeName, {
        type: "string",
        enum: values.map(([name]) => name),
        ...(documented.length > 0 && { description: documented.join("\n") }),
      });
    }
    return { $ref: `#/components/schemas/${type.typeName}` };
  }
}

function nullable(schema: Schema): Schema {
  if (schema.$ref !== undefined) return { anyOf: [schema, { type: "null" }] };
  if (schema.anyOf !== undefined) return { ...schema, anyOf: [...schema.anyOf, { type: "null" }] };
  return typeof schema.type === "string" ? { ...schema, type: [schema.type, "null"] } : schema;
}

const int32: Schema = { type: "integer", format: "int32", minimum: -(2 ** 31), maximum: 2 ** 31 - 1 };
const uint32: Schema = { type: "integer", format: "uint32", minimum: 0, maximum: 2 ** 32 - 1 };
const int64: Schema = { type: "string", format: "int64", pattern: "^-?(0|[1-9][0-9]{0,18})$" };
const uint64: Schema = { type: "string", format: "uint64", pattern: "^(0|[1-9][0-9]{0,19})$" };

/** Makes the schema of a number that may be none: JSON has no text for these three values. */
function real(format: string): Schema {
  return {
    anyOf: [
      { type: "number", format },
      { type: "string", enum: ["NaN", "Infinity", "-Infinity"] },
    ],
  };
}

const scalars: Readonly<Record<ScalarType, Schema>> = {
  [ScalarType.STRING]: { type: "string" },
  [ScalarType.BOOL]: { type: "boolean" },
  [ScalarType.BYTES]: { type: "string", contentEncoding: "base64" },
  [ScalarType.DOUBLE]: real("double"),
  [ScalarType.FLOAT]: real("float"),
  [ScalarType.INT32]: int32,
  [ScalarType.SINT32]: int32,
  [ScalarType.SFIXED32]: int32,
  [ScalarType.UINT32]: uint32,
  [ScalarType.FIXED32]: uint32,
  [ScalarType.INT64]: int64,
  [ScalarType.SINT64]: int64,
  [ScalarType.SFIXED64]: int64,
  [ScalarType.UINT64]: uint64,
  [ScalarType.FIXED64]: uint64,
};

const wellKnownTypes: Readonly<Record<string, Schema>> = {
  "google.protobuf.Timestamp": { type: "string", format: "date-time" },
  "google.protobuf.Duration": { type: "string", format: "duration-seconds", pattern: "^-?[0-9]+(\\.[0-9]{1,9})?s$" },
  "google.protobuf.FieldMask": { type: "string", description: 'Names of fields, separated by ",".' },
  "google.protobuf.Struct": { type: "object", additionalProperties: true },
  "google.protobuf.ListValue": { type: "array", items: {} },
  "google.protobuf.Value": {},
  "google.protobuf.Any": {
    type: "object",
    // An empty one is an object without it.
    properties: { "@type": { type: "string" } },
    additionalProperties: true,
  },
};
