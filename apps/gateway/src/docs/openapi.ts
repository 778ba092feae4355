import type { AccessRule } from "@plumbline/contracts/access";
import { codes } from "@plumbline/errors";
import {
  type ApiResponse,
  type Binding,
  type MediaType,
  type OpenApi,
  openApi,
  type Parameter,
  type Reference,
  type Schema,
  type SecurityRequirement,
  type SecurityScheme,
} from "@plumbline/transcoding";
import { problemContentType } from "../http/problem.ts";
import { ndjson, sse } from "../streams/format.ts";

/**
 * Describes all bindings, with the headers, streams and failures of this gateway. With the access
 * rules each operation states the scopes that it needs.
 */
export function openApiOf(
  bindings: readonly Binding[],
  version: string,
  rules?: ReadonlyMap<string, AccessRule>,
): OpenApi {
  return openApi(bindings, {
    info: {
      title: "Plumbline",
      version,
      description: "Derived from the services' protos. 64-bit integers are strings; unknown fields are refused.",
    },
    components: {
      schemas: { Problem: problem },
      parameters: headers,
      ...(rules !== undefined && { securitySchemes: { [schemeName]: accessToken } }),
      responses: {
        Problem: {
          description: "Problem details (RFC 9457).",
          content: { [problemContentType]: { schema: problemSchema } },
        },
      },
    },
    parameters: headersOf,
    responses: (binding) => ({ ...resumed(binding), ...problems(binding, rules) }),
    security: rules && ((binding) => securityOf(rules.get(binding.rpcPath))),
    responseHeaders: {
      "X-Request-Id": {
        description: "The id of this request.",
        schema: { type: "string", pattern: "^[A-Za-z0-9_.:=+/@~-]{1,128}$" },
      },
    },
    streamContent,
  });
}

const problemSchema: Reference = { $ref: "#/components/schemas/Problem" };

const problem: Schema = {
  type: "object",
  required: ["type", "title", "status", "detail", "code", "requestId"],
  properties: {
    type: { type: "string" },
    title: { type: "string", description: "The status in words." },
    status: { type: "integer" },
    detail: { type: "string", description: "A description of this failure, for people." },
    code: { type: "string", enum: codes, description: "The gRPC code." },
    reason: { type: "string", description: "A name of this failure, for programs: ORDER_ALREADY_FULFILLED." },
    requestId: { type: "string" },
    violations: {
      type: "array",
      description: "The fields of the request that are wrong.",
      items: {
        type: "object",
        required: ["field", "description"],
        properties: { field: { type: "string", description: "items[1].quantity" }, description: { type: "string" } },
      },
    },
  },
};

/** The headers that operations share, for `components.parameters`. */
const headers: Readonly<Record<string, Parameter>> = {
  RequestId: {
    name: "X-Request-Id",
    in: "header",
    description: "Names the request in responses and logs. The gateway makes one if it is absent or invalid.",
    // Any text is accepted; an invalid id is replaced.
    schema: { type: "string" },
  },
  Timeout: {
    name: "Grpc-Timeout",
    in: "header",
    description: "The deadline of the call: up to 8 digits and one unit of H M S m u n, such as 500m.",
    schema: { type: "string", pattern: "^[0-9]{1,8}[HMSmun]$" },
  },
  IdempotencyKey: {
    name: "Idempotency-Key",
    in: "header",
    description: "Requests with the same key have the effect of one.",
    schema: { type: "string", minLength: 1, maxLength: 255, pattern: "^[!-~]{1,255}$" },
  },
  LastEventId: {
    name: "Last-Event-ID",
    in: "header",
    description: "The id of the last event received: the stream continues after it.",
    schema: { type: "string" },
  },
};

function headersOf({ streams, httpMethod, resumeField }: Binding): Reference[] {
  const names = ["RequestId"];
  if (!streams) names.push("Timeout");
  if (httpMethod !== "GET") names.push("IdempotencyKey");
  if (resumeField !== undefined) names.push("LastEventId");
  return names.map((name) => ({ $ref: `#/components/parameters/${name}` }));
}

function streamContent({ method }: Binding, message: Schema): Readonly<Record<string, MediaType>> {
  const line: Schema = {
    anyOf: [
      { type: "object", properties: { result: message } },
      { type: "object", properties: { error: problemSchema } },
    ],
  };
  return {
    [sse.contentType]: {
      schema: {
        type: "string",
        description: `Events. An event without a name has one ${method.output.typeName} in JSON as its data; \`event: end\` means that the stream is complete, \`event: error\` has a Problem as its data.`,
      },
    },
    [ndjson.contentType]: { schema: line },
  };
}

function resumed({ streams }: Binding): Readonly<Record<string, ApiResponse>> {
  if (!streams) return {};
  return { "204": { description: "The resumed stream has ended and no event was missed. Do not reconnect." } };
}

const schemeName = "accessToken";

const accessToken: SecurityScheme = {
  type: "http",
  scheme: "bearer",
  bearerFormat: "JWT",
  description: "An access token of the issuer that /.well-known/oauth-protected-resource names.",
};

function securityOf(rule: AccessRule | undefined): readonly SecurityRequirement[] {
  return rule?.kind === "scopes" ? [{ [schemeName]: rule.scopes }] : [];
}

function problems(
  { streams, body, rpcPath }: Binding,
  rules: ReadonlyMap<string, AccessRule> | undefined,
): Readonly<Record<string, Reference>> {
  const statuses = [
    "400",
    "404",
    "429",
    "503",
    ...(rules?.get(rpcPath)?.kind === "scopes" ? ["401", "403"] : []),
    ...(streams ? ["406"] : ["504"]),
    ...(body === "none" ? [] : ["413", "415"]),
  ];
  const reference: Reference = { $ref: "#/components/responses/Problem" };
  return Object.fromEntries([...statuses.sort(), "default"].map((status) => [status, reference]));
}
