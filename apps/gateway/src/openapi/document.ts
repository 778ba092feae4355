import { codes } from "@plumbline/errors";
import type { Binding } from "../bindings/binding.ts";
import { problemContentType } from "../http/problem.ts";
import { commentOf } from "./comments.ts";
import { operationOf } from "./operation.ts";
import { headers, openApiPath } from "./parameters.ts";
import { Schemas } from "./schemas.ts";
import type { OpenApi, Operation, Schema } from "./types.ts";

/** OpenAPI names these methods; a custom one has no place in it, and "*" stands for all of them. */
const methods = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];

/** The OpenAPI 3.1 document of all bindings. Made once: it follows from the descriptors alone. */
export function openApi(bindings: readonly Binding[], version: string): OpenApi {
  const schemas = new Schemas();
  const paths: Record<string, Record<string, Operation>> = {};
  const services = new Map(bindings.map(({ method }) => [method.parent.typeName, method.parent]));
  for (const binding of bindings) {
    const method = binding.httpMethod === "*" ? "get" : binding.httpMethod.toLowerCase();
    if (!methods.includes(method)) continue;
    // Two templates can look alike here (`{name=a/*}` and `{name=b/*}`): the first one is told.
    (paths[openApiPath(binding)] ??= {})[method] ??= operationOf(binding, schemas);
  }
  return {
    openapi: "3.1.1",
    info: {
      title: "Plumbline",
      version,
      description:
        "Derived from the services' protos. 64-bit integers are strings; fields that are not known are refused.",
    },
    servers: [{ url: "/" }],
    tags: [...services.values()].map((service) => {
      const description = commentOf(service);
      return { name: service.typeName, ...(description !== undefined && { description }) };
    }),
    paths,
    components: {
      schemas: { ...schemas.all, Problem: problem },
      parameters: headers,
      responses: {
        Problem: {
          description: "Problem details (RFC 9457).",
          content: { [problemContentType]: { schema: { $ref: "#/components/schemas/Problem" } } },
        },
      },
    },
  };
}

const problem: Schema = {
  type: "object",
  required: ["type", "title", "status", "detail", "code", "requestId"],
  properties: {
    type: { type: "string" },
    title: { type: "string", description: "The status in words." },
    status: { type: "integer" },
    detail: { type: "string", description: "What happened, for a person." },
    code: { type: "string", enum: codes, description: "The gRPC code." },
    reason: { type: "string", description: "What happened, for a program: ORDER_ALREADY_FULFILLED." },
    requestId: { type: "string" },
    violations: {
      type: "array",
      description: "Which fields of the request are wrong.",
      items: {
        type: "object",
        required: ["field", "description"],
        properties: { field: { type: "string", description: "items[1].quantity" }, description: { type: "string" } },
      },
    },
  },
};
