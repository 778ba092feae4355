import type { Binding } from "../bindings/binding.ts";
import { commentOf } from "./comments.ts";
import type { Conventions } from "./conventions.ts";
import { operationOf } from "./operation.ts";
import { openApiPath } from "./parameters.ts";
import { Schemas } from "./schemas.ts";
import type { OpenApi, Operation } from "./types.ts";

/** The methods that OpenAPI names. A custom one has no place in it. "*" is listed as GET. */
const methods = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];

/**
 * Builds the OpenAPI 3.1 document of all bindings. It depends on nothing else, so once is enough.
 */
export function openApi(bindings: readonly Binding[], conventions: Conventions): OpenApi {
  const { info, components } = conventions;
  const schemas = new Schemas();
  const paths: Record<string, Record<string, Operation>> = {};
  const services = new Map(bindings.map(({ method }) => [method.parent.typeName, method.parent]));
  for (const binding of bindings) {
    const method = binding.httpMethod === "*" ? "get" : binding.httpMethod.toLowerCase();
    if (!methods.includes(method)) continue;
    // Two templates can look alike here (`{name=a/*}` and `{name=b/*}`): the first one is listed.
    (paths[openApiPath(binding)] ??= {})[method] ??= operationOf(binding, schemas, conventions);
  }
  return {
    openapi: "3.1.1",
    info,
    servers: [{ url: "/" }],
    tags: [...services.values()].map((service) => {
      const description = commentOf(service);
      return { name: service.typeName, ...(description !== undefined && { description }) };
    }),
    paths,
    components: {
      schemas: { ...schemas.all, ...components?.schemas },
      parameters: { ...components?.parameters },
      responses: { ...components?.responses },
      ...(components?.securitySchemes !== undefined && { securitySchemes: components.securitySchemes }),
    },
  };
}
