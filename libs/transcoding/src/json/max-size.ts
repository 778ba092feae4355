import { type DescField, type DescMessage, ScalarType } from "@bufbuild/protobuf";
import { isWrapper } from "../descriptors/fields.ts";
import { boundsOf } from "../openapi/bounds.ts";
import { isWellKnown } from "./check-well-known.ts";

/** Room for white space, and for escapes where none are needed. */
const slack = 4;
const least = 4096;

/**
 * Returns the most bytes that a reasonable JSON of a message or field has, from the bounds of its
 * texts and lists: a text of N characters may be written in 12 N bytes, and white space may follow.
 * Infinity if something in it has no bound.
 */
export function maxJsonBytes(type: DescMessage | DescField): number {
  const bytes = type.kind === "message" ? ofMessage(type, new Set()) : ofField(type, new Set());
  return Math.max(least, slack * bytes);
}

function ofMessage(message: DescMessage, outer: ReadonlySet<DescMessage>): number {
  const { typeName } = message;
  // A message within itself may be as deep as a body is long.
  if (outer.has(message)) return Number.POSITIVE_INFINITY;
  if (typeName === "google.protobuf.Timestamp" || typeName === "google.protobuf.Duration") return 64;
  if (isWellKnown(message)) return Number.POSITIVE_INFINITY;
  const inside = new Set([...outer, message]);
  const [only] = message.fields;
  if (isWrapper(message) && only !== undefined) return ofField(only, inside);
  return message.fields.reduce(
    (sum, field) => sum + Math.max(field.name.length, field.jsonName.length) + 4 + ofField(field, inside),
    2,
  );
}

function ofField(field: DescField, inside: ReadonlySet<DescMessage>): number {
  if (field.fieldKind === "map") return Number.POSITIVE_INFINITY;
  const bounds = boundsOf(field);
  if (field.fieldKind === "list") {
    // The rules of the items are not read here, so texts in lists have no bound.
    const { maxItems = Number.POSITIVE_INFINITY } = bounds as { maxItems?: number };
    return 2 + maxItems * (1 + ofValue(field, undefined, inside));
  }
  return ofValue(field, (bounds as { maxLength?: number }).maxLength, inside);
}

function ofValue(field: DescField, maxLength: number | undefined, inside: ReadonlySet<DescMessage>): number {
  if (field.message !== undefined) return ofMessage(field.message, inside);
  if (field.enum !== undefined) return 11 + Math.max(...field.enum.values.map(({ name }) => name.length));
  if (field.scalar === ScalarType.BYTES) return Number.POSITIVE_INFINITY;
  if (field.scalar === ScalarType.STRING)
    return maxLength === undefined ? Number.POSITIVE_INFINITY : 12 * maxLength + 2;
  return 32;
}
