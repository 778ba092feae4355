import { type DescField, getOption, hasOption, type Message } from "@bufbuild/protobuf";
import type { Schema } from "./types.ts";

type Rules = Readonly<Record<string, unknown>> & Message;
interface Case {
  readonly case?: string;
  readonly value?: unknown;
}

/**
 * Returns the bounds of a field as keywords of JSON Schema, from the options of protovalidate
 * (`buf.validate.field`): lengths and patterns of texts, ranges of numbers, lengths of lists. Other
 * rules, and protos that do not import the options, add nothing.
 */
export function boundsOf(field: DescField): Schema {
  const file = field.parent.file.dependencies.find(({ name }) => name === "buf/validate/validate");
  const extension = file?.extensions.find(({ typeName }) => typeName === "buf.validate.field");
  if (extension === undefined || !hasOption(field, extension)) return {};
  const { case: kind, value } = (getOption(field, extension) as Rules)["type"] as Case;
  const rules = (value ?? {}) as Rules;
  if (kind === "string") {
    const pattern = rules["pattern"] as string;
    return {
      ...limit("minLength", rules["minLen"]),
      ...limit("maxLength", rules["maxLen"]),
      ...(pattern !== "" && { pattern }),
    };
  }
  if (kind === "repeated") return { ...limit("minItems", rules["minItems"]), ...limit("maxItems", rules["maxItems"]) };
  // 64-bit integers are texts in JSON, which have no range.
  if (kind !== "int32" && kind !== "uint32" && kind !== "sint32") return {};
  const [least, most] = [rules["greaterThan"] as Case, rules["lessThan"] as Case];
  return {
    ...(least.case === "gte" && { minimum: Number(least.value) }),
    ...(most.case === "lte" && { maximum: Number(most.value) }),
  };
}

/** Unset lengths are 0, which says nothing. */
function limit(keyword: "minLength" | "maxLength" | "minItems" | "maxItems", value: unknown): Schema {
  return Number(value) === 0 ? {} : { [keyword]: Number(value) };
}
