/** The JSON Schema of a service's settings, as the chart takes them. */
import { isDeepStrictEqual } from "node:util";
import { listSettings } from "@plumbline/config";
import { settingsPrefix } from "@plumbline/tools-stack";
import { z } from "zod";
import type { Service } from "../settings/services.ts";

/** The part of JSON Schema that these functions read and write. */
export interface JsonSchema {
  readonly [keyword: string]: unknown;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
}

/**
 * Settings that the chart sets itself, because its ports and probes rely on them, and `auth.off`,
 * with which a gateway starts on loopback only.
 */
const ofTheChart: ReadonlySet<string> = new Set([
  "auth.off",
  "http.host",
  "http.port",
  "rpc.host",
  "rpc.port",
  "ops.host",
  "ops.port",
]);

/** Keywords that tell how a value is used. They do not restrict it. */
const notes: ReadonlySet<string> = new Set(["default", "description", "live", "secret"]);

/**
 * Returns the schema of `services.NAME.settings`: every setting but secrets and those above. Any
 * other key is refused. No key is required, since defaults, Secrets and the chart give the rest.
 */
export function settingsSchema({ name, schema }: Service): JsonSchema {
  const secrets = listSettings(schema, settingsPrefix(name)).filter(({ secret }) => secret);
  const hidden = new Set([...ofTheChart, ...secrets.map(({ key }) => key)]);
  const root = z.toJSONSchema(schema, { io: "input", unrepresentable: "any", reused: "inline" }) as JsonSchema;
  return section(root, [], hidden) ?? closed({});
}

/** Returns the schema without what is hidden. Undefined means that nothing is left. */
function section(schema: JsonSchema, path: readonly string[], hidden: ReadonlySet<string>): JsonSchema | undefined {
  if (hidden.has(path.join("."))) return undefined;
  if (schema.properties === undefined) return value(schema);
  const properties = Object.entries(schema.properties).flatMap(([name, property]) => {
    const kept = section(property, [...path, name], hidden);
    return kept === undefined ? [] : [[name, kept] as const];
  });
  return properties.length === 0 && path.length > 0 ? undefined : closed(Object.fromEntries(properties));
}

function closed(properties: Readonly<Record<string, JsonSchema>>): JsonSchema {
  return { type: "object", additionalProperties: false, properties };
}

function value(schema: JsonSchema): JsonSchema {
  const { live: _, secret: __, $schema: ___, ...rest } = schema;
  return rest;
}

/**
 * Returns the schema of settings that apply to each service that has them: settings of at least two
 * services, which describe them alike.
 */
export function commonSchema(schemas: readonly JsonSchema[]): JsonSchema {
  const names = [...new Set(schemas.flatMap(({ properties = {} }) => Object.keys(properties)))];
  const properties = names.flatMap((name) => {
    const found = schemas.map(({ properties }) => properties?.[name]).filter((one) => one !== undefined);
    const [first, ...others] = found;
    if (first === undefined || others.length === 0) return [];
    if (found.every(({ properties: inner }) => inner !== undefined)) {
      const inner = commonSchema(found);
      return Object.keys(inner.properties ?? {}).length === 0 ? [] : [[name, inner] as const];
    }
    const isAlike = others.every((other) => isDeepStrictEqual(restrictions(other), restrictions(first)));
    return isAlike ? [[name, first] as const] : [];
  });
  return closed(Object.fromEntries(properties));
}

function restrictions(schema: JsonSchema): JsonSchema {
  return Object.fromEntries(Object.entries(schema).filter(([keyword]) => !notes.has(keyword)));
}
