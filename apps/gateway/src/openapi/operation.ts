import type { Binding } from "../bindings/binding.ts";
import { httpBody } from "../http/answer.ts";
import { ndjson } from "../streams/ndjson.ts";
import { sse } from "../streams/sse.ts";
import { commentOf, firstSentence } from "./comments.ts";
import { parametersOf } from "./parameters.ts";
import type { Schemas } from "./schemas.ts";
import type { ApiResponse, MediaType, Operation, Reference, Schema } from "./types.ts";

/** One binding as an OpenAPI operation. */
export function operationOf(binding: Binding, schemas: Schemas): Operation {
  const { method } = binding;
  const comment = commentOf(method);
  const summary = firstSentence(comment);
  return {
    operationId: `${method.parent.name}_${method.name}${binding.index === 0 ? "" : `_${binding.index + 1}`}`,
    tags: [method.parent.typeName],
    ...(summary !== undefined && { summary }),
    ...(comment !== undefined && { description: comment }),
    ...(method.deprecated && { deprecated: true }),
    parameters: parametersOf(binding, schemas),
    ...requestBody(binding, schemas),
    responses: { "200": success(binding, schemas), ...resumed(binding), ...problems(binding) },
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

function success(binding: Binding, schemas: Schemas): ApiResponse {
  const { output } = binding.method;
  const content = isRaw(binding) ? rawContent(binding) : jsonContent(binding, schemas);
  return {
    description: binding.streams ? `A stream of ${output.typeName}.` : isRaw(binding) ? "The bytes." : output.typeName,
    headers: { "X-Request-Id": { description: "The id of this request.", schema: { type: "string" } } },
    content,
  };
}

function isRaw({ method, responseBody }: Binding): boolean {
  return method.output.typeName === httpBody || responseBody?.message?.typeName === httpBody;
}

/**
 * HttpBody names its type only as it answers. A method whose comment names media types promises those; of another one
 * nothing is known beforehand.
 */
function rawContent({ method }: Binding): Readonly<Record<string, MediaType>> {
  const named = commentOf(method)?.match(/\b(?:image|text|application|audio|video|font)\/[\w.+-]*\w/g) ?? [];
  const bytes: MediaType = { schema: { type: "string", format: "binary" } };
  return Object.fromEntries((named.length > 0 ? named : ["*/*"]).map((type) => [type, bytes]));
}

function jsonContent(binding: Binding, schemas: Schemas): Readonly<Record<string, MediaType>> {
  const { method, responseBody, streams } = binding;
  const schema: Schema = responseBody === undefined ? schemas.message(method.output) : schemas.field(responseBody);
  if (!streams) return { "application/json": { schema } };
  const line: Schema = {
    anyOf: [
      { type: "object", properties: { result: schema } },
      { type: "object", properties: { error: { $ref: "#/components/schemas/Problem" } } },
    ],
  };
  return {
    [sse.contentType]: {
      schema: {
        type: "string",
        description: `Events. One without a name holds one ${method.output.typeName} in JSON as its data; \`event: end\` says that no more will come, \`event: error\` holds a Problem.`,
      },
    },
    [ndjson.contentType]: { schema: line },
  };
}

function resumed(binding: Binding): Readonly<Record<string, ApiResponse>> {
  if (!binding.streams) return {};
  return { "204": { description: "A resumed stream that has ended: nothing was missed, do not come back." } };
}

function problems(binding: Binding): Readonly<Record<string, Reference>> {
  const statuses = [
    "400",
    "404",
    "429",
    "503",
    ...(binding.streams ? ["406"] : ["504"]),
    ...(binding.body === "none" ? [] : ["413", "415"]),
  ];
  const reference: Reference = { $ref: "#/components/responses/Problem" };
  return Object.fromEntries([...statuses.sort(), "default"].map((status) => [status, reference]));
}
