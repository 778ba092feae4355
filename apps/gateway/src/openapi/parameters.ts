import type { DescField, DescMessage } from "@bufbuild/protobuf";
import type { Binding } from "../bindings/binding.ts";
import { fieldPath, isQueryValue } from "../bindings/fields.ts";
import { commentOf } from "./comments.ts";
import type { Schemas } from "./schemas.ts";
import type { Parameter, Reference } from "./types.ts";

/** The headers that operations share, for `components.parameters`. */
export const headers: Readonly<Record<string, Parameter>> = {
  RequestId: {
    name: "X-Request-Id",
    in: "header",
    description:
      "Names the request in answers and logs. Made by the gateway when there is none, or one that is not sane.",
    schema: { type: "string", pattern: "^[A-Za-z0-9_.:=+/@~-]{1,128}$" },
  },
  Timeout: {
    name: "Grpc-Timeout",
    in: "header",
    description: "How long the caller waits: up to 8 digits and one of H M S m u n, such as 500m.",
    schema: { type: "string", pattern: "^[0-9]{1,8}[HMSmun]$" },
  },
  IdempotencyKey: {
    name: "Idempotency-Key",
    in: "header",
    description: "Repeats of a request under one key have the effect of one.",
    schema: { type: "string", minLength: 1, maxLength: 255, pattern: "^[!-~]{1,255}$" },
  },
  LastEventId: {
    name: "Last-Event-ID",
    in: "header",
    description: "The id of the last event seen: the stream goes on after it.",
    schema: { type: "string" },
  },
};

/** Messages within messages are followed this far into a query. */
const maxNesting = 4;

export function parametersOf(binding: Binding, schemas: Schemas): readonly (Parameter | Reference)[] {
  const { input } = binding.method;
  return [
    ...pathParameters(binding, input, schemas),
    ...queryParameters(binding, input, schemas),
    ...headerParameters(binding),
  ];
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
      schema: field === undefined ? { type: "string" } : schemas.single(field),
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
        const schema = schemas.single(field);
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

function headerParameters(binding: Binding): Reference[] {
  const names = ["RequestId"];
  if (!binding.streams) names.push("Timeout");
  if (binding.httpMethod !== "GET") names.push("IdempotencyKey");
  if (binding.resumeField !== undefined) names.push("LastEventId");
  return names.map((name) => ({ $ref: `#/components/parameters/${name}` }));
}

function fieldsAlong(input: DescMessage, path: string): readonly DescField[] {
  const fields = fieldPath(input, path);
  return "unknown" in fields ? [] : fields;
}

function jsonName(fields: readonly DescField[]): string {
  return fields.map((field) => field.jsonName).join(".");
}

/** A template as OpenAPI writes it: `/v1/orders/{orderId}:watch`. Parts fixed within a variable have no place there. */
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
