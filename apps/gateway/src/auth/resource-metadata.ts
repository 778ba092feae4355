import type { AccessRule } from "@plumbline/contracts/access";
import type { Request, RequestHandler } from "express";

export const metadataPath = "/.well-known/oauth-protected-resource";

/** Returns the address of the metadata, as the client of the request reaches it. */
export function metadataUrl(request: Request): string | undefined {
  const resource = resourceOf(request);
  return resource === undefined ? undefined : `${resource}${metadataPath}`;
}

/**
 * Serves the metadata that tell a client who issues tokens for this API (RFC 9728). Public, and the
 * same for everybody.
 */
export function resourceMetadata(issuer: string, rules: ReadonlyMap<string, AccessRule>): RequestHandler {
  const scopes = [...rules.values()].flatMap((rule) => (rule.kind === "scopes" ? rule.scopes : []));
  const common = {
    authorization_servers: [issuer],
    scopes_supported: [...new Set(scopes)].toSorted(),
    bearer_methods_supported: ["header"],
  };
  return (request, response, next) => {
    if (request.path !== metadataPath || (request.method !== "GET" && request.method !== "HEAD")) return next();
    response.setHeader("Content-Type", "application/json");
    response.end(JSON.stringify({ resource: resourceOf(request), ...common }));
  };
}

/** Returns the address of this API from the Host of a request, whose form was checked before. */
function resourceOf(request: Request): string | undefined {
  const { host } = request.headers;
  return host === undefined ? undefined : URL.parse(`${request.protocol}://${host}`)?.origin;
}
