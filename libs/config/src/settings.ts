import { z } from "zod";
import { expectedOf, itemTypesOf, type JsonSchema, typesOf } from "./expected.ts";

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
  /** The accepted types of a list's items. */
  readonly itemTypes: readonly string[];
  readonly required: boolean;
  readonly secret: boolean;
  /** True if a change of a watched source takes effect without a restart. */
  readonly live: boolean;
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
  walkSection(root, { path: [], isRequired: true, isLive: false }, { settings, sections });
  return { settings: [...settings.values()], sections };
}

interface Found {
  readonly settings: Map<string, Setting>;
  readonly sections: (readonly string[])[];
}

/** A place in the schema, with what holds for everything below it. */
interface Place {
  readonly path: readonly string[];
  readonly isRequired: boolean;
  readonly isLive: boolean;
}

function walkSection(section: JsonSchema, { path, isRequired, isLive }: Place, found: Found): void {
  for (const [name, schema] of Object.entries(section.properties ?? {})) {
    const place = {
      path: [...path, name],
      isRequired: isRequired && (section.required?.includes(name) ?? false),
      isLive: isLive || schema.live === true,
    };
    walk(schema, place, found);
  }
}

function walk(schema: JsonSchema, place: Place, found: Found): void {
  const options = sectionsOf(schema);
  if (options === undefined) return addSetting(schema, place, found);
  // A section whose settings all have defaults may be left out of every source.
  if (place.isRequired) found.sections.push(place.path);
  // With several alternatives, only the values decide which settings are required.
  const isRequired = place.isRequired && options.length === 1;
  for (const option of options) walkSection(option, { ...place, isRequired }, found);
}

/**
 * Returns the alternative sections of `schema`, or undefined for a value, also a map of any keys.
 */
function sectionsOf(schema: JsonSchema): readonly JsonSchema[] | undefined {
  const options = (schema.anyOf ?? schema.oneOf ?? [schema]).filter((option) => option.type !== "null");
  return options.length > 0 && options.every((option) => option.properties !== undefined) ? options : undefined;
}

function addSetting(schema: JsonSchema, { path, isRequired, isLive }: Place, found: Found): void {
  const key = path.join(".");
  const known = found.settings.get(key);
  const expected = expectedOf(schema);
  found.settings.set(key, {
    path,
    key,
    // The same key in two alternatives of a section, such as the name of the adapter.
    expected: known === undefined || known.expected === expected ? expected : `${known.expected} or ${expected}`,
    types: [...new Set([...(known?.types ?? []), ...typesOf(schema)])],
    itemTypes: [...new Set([...(known?.itemTypes ?? []), ...itemTypesOf(schema)])],
    required: isRequired && known === undefined,
    secret: schema.secret === true || known?.secret === true,
    live: isLive,
    ...("default" in schema && { default: schema.default }),
    ...(schema.description !== undefined && { description: schema.description }),
  });
}
