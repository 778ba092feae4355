import { httpBody } from "../bindings/answer.ts";
import type { Binding } from "../bindings/binding.ts";
import { commentOf, firstSentence } from "./comments.ts";
import type { Conventions } from "./conventions.ts";
import { parametersOf } from "./parameters.ts";
import type { Schemas } from "./schemas.ts";
import type { ApiResponse, MediaType, Operation } from "./types.ts";

type Content = Readonly<Record<string, MediaType>>;

/** Describes one binding as an OpenAPI operation. */
export function operationOf(binding: Binding, schemas: Schemas, conventions: Conventions): Operation {
  const { method } = binding;
  const comment = commentOf(method);
  const summary = firstSentence(comment);
  return {
    operationId: `${method.parent.name}_${method.name}${binding.index === 0 ? "" : `_${binding.index + 1}`}`,
    tags: [method.parent.typeName],
    ...(summary !== undefined && { summary }),
    ...(comment !== undefined && { description: comment }),
    ...(method.deprecated && { deprecated: true }),
    parameters: [...parametersOf(binding, schemas), ...(conventions.parameters?.(binding) ?? [])],
    ...requestBody(binding, schemas),
    responses: { "200": success(binding, schemas, conventions), ...conventions.responses?.(binding) },
    ...(conventions.security !== undefined && { security: conventions.security(binding) }),
  };
}

function requestBody({ body, method }: Binding, schemas: Schemas): Pick<Operation, "requestBody"> {
  if (body === "none") return {};
  const schema = body === "all" ? schemas.message(method.input) : schemas.field(body);
  return {
    requestBody: {
      required: body !== "all" || method.input.fields.length > 0,
      content: { "application/json": { schema } },
    },
  };
}

function success(binding: Binding, schemas: Schemas, conventions: Conventions): ApiResponse {
  const { typeName } = binding.method.output;
  const headers = conventions.responseHeaders;
  const content = isRaw(binding) ? rawContent(binding) : jsonContent(binding, schemas, conventions);
  return {
    description: binding.streams ? `A stream of ${typeName}.` : isRaw(binding) ? "The bytes." : typeName,
    ...(headers !== undefined && { headers }),
    content,
  };
}

function isRaw({ method, responseBody }: Binding): boolean {
  return method.output.typeName === httpBody || responseBody?.message?.typeName === httpBody;
}

/**
 * Lists the media types in the comment of a method that returns HttpBody, or any type if there are
 * none: the message itself names its type only in each response.
 */
function rawContent({ method }: Binding): Content {
  const named = commentOf(method)?.match(/\b(?:image|text|application|audio|video|font)\/[\w.+-]*\w/g) ?? [];
  const bytes: MediaType = { schema: { type: "string", format: "binary" } };
  return Object.fromEntries((named.length > 0 ? named : ["*/*"]).map((type) => [type, bytes]));
}

function jsonContent(binding: Binding, schemas: Schemas, { streamContent }: Conventions): Content {
  const { method, responseBody, streams } = binding;
  const schema = responseBody === undefined ? schemas.message(method.output) : schemas.field(responseBody);
  return streams && streamContent !== undefined ? streamContent(binding, schema) : { "application/json": { schema } };
}
