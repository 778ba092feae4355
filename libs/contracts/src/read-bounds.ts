/** Reads the bounds of fields, which the protos state as options of protovalidate, into a table. */
import {
  type DescField,
  type DescMessage,
  type FileRegistry,
  getOption,
  hasOption,
  type Message,
} from "@bufbuild/protobuf";
import { FeatureSet_FieldPresence } from "@bufbuild/protobuf/wkt";

/**
 * The bounds of one field. `least` and `most` are characters of a text, entries of a list, or a
 * number's own.
 */
export interface Bound {
  readonly kind: "text" | "list" | "number";
  readonly least?: number;
  readonly most?: number;
  /** A regular expression that the whole text matches. */
  readonly pattern?: string;
  /** The field may be absent; only a value is checked. */
  readonly optional?: true;
  /** The message of a list's entries, when it has bounds of its own. */
  readonly each?: string;
}

export type Bounds = Readonly<Record<string, Readonly<Record<string, Bound>>>>;

type Rules = Readonly<Record<string, unknown>> & Message;

const numbers = new Set(["int32", "uint32", "sint32", "int64", "uint64", "sint64"]);

/**
 * Returns the bounds of each message that has any, by message and field. Throws for a rule that
 * this table cannot hold, so that none is ignored in silence.
 */
export function readBounds(registry: FileRegistry): Bounds {
  const messages = [...registry].filter((type): type is DescMessage => type.kind === "message");
  const table = messages
    .filter(({ file }) => file.dependencies.some(({ name }) => name === "buf/validate/validate"))
    .map((message) => [message.typeName, boundsOf(message, registry)] as const)
    .filter(([, bounds]) => Object.keys(bounds).length > 0);
  const named = new Set(table.map(([name]) => name));
  return Object.fromEntries(
    table.map(([name, bounds]) => [
      name,
      Object.fromEntries(
        Object.entries(bounds).map(([field, { each, ...bound }]) => [
          field,
          each !== undefined && named.has(each) ? { ...bound, each } : bound,
        ]),
      ),
    ]),
  );
}

function boundsOf(message: DescMessage, registry: FileRegistry): Readonly<Record<string, Bound>> {
  const extension = registry.getExtension("buf.validate.field");
  if (extension === undefined) return {};
  return Object.fromEntries(
    message.fields
      .filter((field) => hasOption(field, extension))
      .map((field) => [
        field.localName,
        { ...boundOf(field, getOption(field, extension) as Rules), ...(isOptional(field) && { optional: true }) },
      ]),
  );
}

/** Returns true for a field that the proto marks as `optional`. */
function isOptional({ fieldKind, presence }: DescField): boolean {
  return fieldKind === "scalar" && presence === FeatureSet_FieldPresence.EXPLICIT;
}

function boundOf(field: DescField, rules: Rules): Bound {
  const { case: kind, value } = rules["type"] as { readonly case?: string; readonly value?: Rules };
  if (kind === "string" && value !== undefined) {
    const pattern = value["pattern"] as string;
    const { minLen, maxLen } = value;
    return { kind: "text", ...limits(field, minLen, maxLen), ...(pattern !== "" && { pattern }) };
  }
  if (kind === "repeated" && value !== undefined) {
    const each = field.fieldKind === "list" && field.listKind === "message" && field.message.typeName;
    return { kind: "list", ...limits(field, value["minItems"], value["maxItems"]), ...(each !== false && { each }) };
  }
  if (kind !== undefined && numbers.has(kind) && value !== undefined) {
    const least = value["greaterThan"] as { readonly case?: string; readonly value?: unknown };
    const most = value["lessThan"] as { readonly case?: string; readonly value?: unknown };
    if (least.case === "gt" || most.case === "lt") throw new Error(`${field}: write gte and lte instead of gt and lt`);
    return { kind: "number", ...limits(field, least.value, most.value) };
  }
  throw new Error(`${field}: rules of the type "${kind}" are not supported; add them to read-bounds.ts`);
}

/**
 * Unset bounds of protovalidate are 0 for `least` and, since nothing may be at most 0, for `most`.
 */
function limits(field: DescField, least: unknown, most: unknown): { least?: number; most?: number } {
  const [from, to] = [Number(least ?? 0), Number(most ?? 0)];
  if (!Number.isSafeInteger(from) || !Number.isSafeInteger(to)) throw new Error(`${field}: a bound is too large`);
  return {
    ...(least !== undefined && (from !== 0 || typeof least !== "bigint") && { least: from }),
    ...(to !== 0 && { most: to }),
  };
}
