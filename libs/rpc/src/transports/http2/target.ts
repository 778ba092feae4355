import { ServiceError } from "@plumbline/errors";
import type { Address } from "../../discovery/address.ts";

/** The servers of a target: known addresses, or a name to resolve. */
export interface Target {
  /** The `:authority` of requests. */
  readonly authority: string;
  /** The name or address in it, which the server's certificate must have. */
  readonly host: string;
  readonly addresses?: readonly Address[];
  readonly name?: Address;
  /** The name server to use instead of this machine's, "host:port". */
  readonly nameServer?: string;
}

/**
 * Parses "dns:///orders:50052", "dns://10.0.0.53:53/orders:50052",
 * "ipv4:10.0.0.1:50052,10.0.0.2:50052", "ipv6:[::1]:50052" or "host:port".
 */
export function parseTarget(target: string): Target {
  const [, scheme = "dns", nameServer = "", rest = ""] =
    /^(?:(dns|ipv4|ipv6):(?:\/\/([^/]*)\/)?)?(.+)$/.exec(target) ?? [];
  if (scheme !== "dns") {
    const [authority = rest] = rest.split(",");
    return { authority, host: parseAddress(authority).host, addresses: rest.split(",").map(parseAddress) };
  }
  const name = parseAddress(rest);
  return { authority: rest, host: name.host, name, ...(nameServer !== "" && { nameServer }) };

  function parseAddress(text: string): Address {
    const match = /^(?:\[([0-9a-fA-F:.%]+)\]|([^:/[\]]+)):(\d{1,5})$/.exec(text);
    const port = Number(match?.[3]);
    const host = match?.[1] ?? match?.[2];
    if (host === undefined || port > 65_535) {
      const expected = 'expected "dns:///host:port", "ipv4:address:port" or "host:port"';
      throw new ServiceError("invalid_argument", `invalid target ${JSON.stringify(target)}: ${expected}`);
    }
    return { host, port };
  }
}
