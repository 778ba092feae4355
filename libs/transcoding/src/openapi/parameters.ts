import type { DescField, DescMessage } from "@bufbuild/protobuf";
import type { Binding } from "../bindings/binding.ts";
import { fieldPath, isQueryValue } from "../descriptors/fields.ts";
import { boundsOf } from "./bounds.ts";
import { commentOf } from "./comments.ts";
import type { Schemas } from "./schemas.ts";
import type { Parameter } from "./types.ts";

/** The depth to which nested messages are listed as query parameters. */
const maxNesting = 4;

/** Lists the path and query parameters of an operation. */
export function parametersOf(binding: Binding, schemas: Schemas): readonly Parameter[] {
  const { input } = binding.method;
  return [...pathParameters(binding, input, schemas), ...queryParameters(binding, input, schemas)];
}

function pathParameters({ template }: Binding, input: DescMessage, schemas: Schemas): Parameter[] {
  return template.variables.map(({ field: path, spansParts }) => {
    const fields = fieldsAlong(input, path);
    const field = fields.at(-1);
    const comment = field === undefined ? undefined : commentOf(field);
    const description = spansParts ? [comment, "May hold slashes."].filter(Boolean).join(" ") : comment;
    return {
      name: jsonName(fields),
      in: "path" as const,
      required: true,
      ...(description !== undefined && { description }),
      schema: field === undefined ? { type: "string" } : { ...schemas.single(field), ...boundsOf(field) },
    };
  });
}

function queryParameters({ template, body }: Binding, input: DescMessage, schemas: Schemas): Parameter[] {
  if (body === "all") return [];
  const taken = new Set(template.variables.map(({ field }) => jsonName(fieldsAlong(input, field))));
  if (typeof body === "object") taken.add(body.jsonName);
  const found: Parameter[] = [];
  const visit = (message: DescMessage, outer: readonly DescField[]): void => {
    for (const field of message.fields) {
      const fields = [...outer, field];
      const name = jsonName(fields);
      if (taken.has(name)) continue;
      if (isQueryValue(field)) {
        const description = commentOf(field);
        const list = field.fieldKind === "list";
        const schema = { ...schemas.single(field), ...(field.fieldKind !== "list" && boundsOf(field)) };
        found.push({
          name,
          in: "query",
          ...(description !== undefined && { description }),
          ...(list && { explode: true }),
          schema: list ? { type: "array", items: schema } : schema,
        });
      } else if (field.fieldKind === "message" && fields.length < maxNesting) {
        visit(field.message, fields);
      }
    }
  };
  visit(input, []);
  return found;
}

function fieldsAlong(input: DescMessage, path: string): readonly DescField[] {
  const fields = fieldPath(input, path);
  return "unknown" in fields ? [] : fields;
}

function jsonName(fields: readonly DescField[]): string {
  return fields.map((field) => field.jsonName).join(".");
}

/**
 * Writes a template for OpenAPI: `/v1/orders/{orderId}:watch`. It cannot express literals inside a
 * variable.
 */
export function openApiPath({ template, method }: Binding): string {
  const parts: string[] = [];
  for (const [index, segment] of template.segments.entries()) {
    const variable = template.variables.find(({ from, to }) => from <= index && index < to);
    if (variable === undefined)
      parts.push(segment.kind === "literal" ? encodeURIComponent(segment.text) : segment.kind === "one" ? "*" : "**");
    else if (variable.from === index) parts.push(`{${jsonName(fieldsAlong(method.input, variable.field))}}`);
  }
  return `/${parts.join("/")}${template.verb === undefined ? "" : `:${template.verb}`}`;
}
