import { z } from "zod";
import { expectedOf, type JsonSchema, typesOf } from "./expected.ts";

/** A zod object: the settings of one service, in sections. */
export type Schema = z.ZodObject;

/** A value that can be set. */
export interface Setting {
  readonly path: readonly string[];
  /** The path as text: `database.url`. */
  readonly key: string;
  /** The accepted values, in words. */
  readonly expected: string;
  /** The accepted types of JSON. None means any. */
  readonly types: readonly string[];
  readonly required: boolean;
  readonly secret: boolean;
  readonly default?: unknown;
  readonly description?: string;
}

/**
 * The settings of a schema, and the sections that must exist so that missing settings are named.
 */
export interface Shape {
  readonly settings: readonly Setting[];
  readonly sections: readonly (readonly string[])[];
}

/** Reads a schema through its JSON Schema, since zod's own classes are not a public description. */
export function shapeOf(schema: Schema): Shape {
  const root = z.toJSONSchema(schema, { io: "input", unrepresentable: "any", reused: "inline" }) as JsonSchema;
  const settings = new Map<string, Setting>();
  const sections: (readonly string[])[] = [];
  walkSection(root, [], true, { settings, sections });
  return { settings: [...settings.values()], sections };
}

interface Found {
  readonly settings: Map<string, Setting>;
  readonly sections: (readonly string[])[];
}

function walkSection(section: JsonSchema, path: readonly string[], mustExist: boolean, found: Found): void {
  for (const [name, schema] of Object.entries(section.properties ?? {})) {
    const isRequired = mustExist && (section.required?.includes(name) ?? false);
    walk(schema, [...path, name], isRequired, found);
  }
}

function walk(schema: JsonSchema, path: readonly string[], isRequired: boolean, found: Found): void {
  const options = sectionsOf(schema);
  if (options === undefined) return addSetting(schema, path, isRequired, found);
  // A section whose settings all have defaults may be left out of every source.
  if (isRequired) found.sections.push(path);
  // With several alternatives, only the values decide which settings are required.
  for (const option of options) walkSection(option, path, isRequired && options.length === 1, found);
}

/**
 * Returns the alternative sections of `schema`, or undefined for a value, also a map of any keys.
 */
function sectionsOf(schema: JsonSchema): readonly JsonSchema[] | undefined {
  const options = (schema.anyOf ?? schema.oneOf ?? [schema]).filter((option) => option.type !== "null");
  return options.length > 0 && options.every((option) => option.properties !== undefined) ? options : undefined;
}

function addSetting(schema: JsonSchema, path: readonly string[], required: boolean, found: Found): void {
  const key = path.join(".");
  const known = found.settings.get(key);
  const expected = expectedOf(schema);
  found.settings.set(key, {
    path,
    key,
    // The same key in two alternatives of a section, such as the name of the adapter.
    expected: known === undefined || known.expected === expected ? expected : `${known.expected} or ${expected}`,
    types: [...new Set([...(known?.types ?? []), ...typesOf(schema)])],
    required: required && known === undefined,
    secret: schema.secret === true || known?.secret === true,
    ...("default" in schema && { default: schema.default }),
    ...(schema.description !== undefined && { description: schema.description }),
  });
}
