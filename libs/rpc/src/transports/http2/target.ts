import { ServiceError } from "@plumbline/errors";

/** Where a target's servers are: addresses that are known, or a name to be looked up. */
export interface Target {
  /** What requests name in `:authority`. */
  readonly authority: string;
  /** The name or address in it: whose certificate a server shows. */
  readonly host: string;
  readonly addresses?: readonly Address[];
  readonly name?: Address;
  /** "host:port" of the name server to ask instead of this machine's. */
  readonly nameServer?: string;
}

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** "dns:///orders:50052", "dns://10.0.0.53:53/orders:50052", "ipv4:10.0.0.1:50052,10.0.0.2:50052", "ipv6:[::1]:50052", or "host:port". */
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
      throw new ServiceError("invalid_argument", `the target ${JSON.stringify(target)} cannot be read: ${expected}`);
    }
    return { host, port };
  }
}
