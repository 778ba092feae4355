import { z } from "zod";
import { expectedOf, type JsonSchema, typesOf } from "./expected.ts";

/** A zod object: the settings of one service, in sections. */
export type Schema = z.ZodObject;

/** One value that can be set. */
export interface Setting {
  readonly path: readonly string[];
  /** The path as it is written: `database.url`. */
  readonly key: string;
  /** What values it takes, in words. */
  readonly expected: string;
  /** The types it takes, as JSON calls them; none means any. */
  readonly types: readonly string[];
  readonly required: boolean;
  readonly secret: boolean;
  readonly default?: unknown;
  readonly description?: string;
}

/** What a schema asks for: its settings, and the sections that must exist for their settings to be missed by name. */
export interface Shape {
  readonly settings: readonly Setting[];
  readonly sections: readonly (readonly string[])[];
}

/** Reads a schema through its JSON Schema: zod's public description of itself, where its classes are not. */
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
  // One of several sections: which of their settings are required is known only with the values.
  for (const option of options) walkSection(option, path, isRequired && options.length === 1, found);
}

/** The sections `schema` allows, or undefined when it is a value (a map of arbitrary keys is a value too). */
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
    // The same key in two alternatives of a section, such as the adapter's name that tells them apart.
    expected: known === undefined || known.expected === expected ? expected : `${known.expected} or ${expected}`,
    types: [...new Set([...(known?.types ?? []), ...typesOf(schema)])],
    required: required && known === undefined,
    secret: schema.secret === true || known?.secret === true,
    ...("default" in schema && { default: schema.default }),
    ...(schema.description !== undefined && { description: schema.description }),
  });
}
