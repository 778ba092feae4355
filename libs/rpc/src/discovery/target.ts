import { ServiceError } from "@plumbline/errors";
import { dnsResolver, isServiceName } from "./dns.ts";
import { parseAddress } from "./parse-address.ts";
import type { Resolver, ResolverTarget } from "./resolver.ts";
import { staticResolver } from "./static.ts";

/** The servers that a channel is for: a name, and the resolver of its scheme. */
export interface Target {
  readonly resolver: Resolver;
  readonly name: ResolverTarget;
  /** The `:authority` of requests. */
  readonly authority: string;
  /** The name or address in it, which the server's certificate must have. */
  readonly host: string;
}

const builtIn: readonly Resolver[] = [dnsResolver(), staticResolver("ipv4"), staticResolver("ipv6")];

/**
 * Parses "dns:///orders:50052", "dns://10.0.0.53:53/orders:50052", "ipv4:10.0.0.1:50052,10.0.0.2:1",
 * "ipv6:[::1]:50052", "host:port", or "scheme:///name" for the scheme of one of `resolvers`. They
 * take precedence over the built-in ones. Throws `invalid_argument`, with the expected form.
 */
export function parseTarget(target: string, resolvers: readonly Resolver[] = []): Target {
  const known = new Map([...builtIn, ...resolvers].map((resolver) => [resolver.scheme, resolver]));
  const [, short, long = short ?? "dns", authority = "", name = ""] =
    /^(?:(dns|ipv[46]):(?!\/\/)|([a-z][a-z0-9+.-]*):\/\/([^/]*)\/)?(.+)$/.exec(target) ?? [];
  const resolver = known.get(long);
  if (resolver === undefined || name === "") throw invalid(`expected ${forms(known)}`);
  const parsed = { resolver, name: { authority, name }, ...identityOf(name) };
  try {
    resolver.check?.(parsed.name);
  } catch (error) {
    throw error instanceof ServiceError ? invalid(error.message, error) : error;
  }
  return parsed;

  function invalid(why: string, cause?: unknown): ServiceError {
    return new ServiceError("invalid_argument", `invalid target ${JSON.stringify(target)}: ${why}`, { cause });
  }
}

/** Returns the forms of targets that can be resolved, for an error. */
function forms(known: ReadonlyMap<string, Resolver>): string {
  const examples = [...known.values()].map(({ scheme, example }) => `"${example ?? `${scheme}:///name`}"`);
  return `${examples.join(", ")} or "host:port"`;
}

/**
 * Returns the identity of the servers behind a name. The labels of a service name (RFC 2782) and
 * the dot at the end of an absolute name are no part of it: certificates do not have them.
 */
function identityOf(name: string): Pick<Target, "authority" | "host"> {
  const [first = name] = name.split(",");
  const address = parseAddress(first);
  if (address === undefined) {
    const service = isServiceName(first) ? first.replace(/^(_[^.]+\.)+/, "") : first;
    const host = withoutDot(service.replace(/[:/?#].*$/, ""));
    return { authority: host, host };
  }
  const host = withoutDot(address.host);
  return { authority: host === address.host ? first : `${host}:${address.port}`, host };
}

function withoutDot(name: string): string {
  return name.length > 1 && name.endsWith(".") ? name.slice(0, -1) : name;
}
