import { aborted } from "@plumbline/concurrency";
import { ServiceError } from "@plumbline/errors";
import type { Address } from "./address.ts";
import { parseAddress } from "./parse-address.ts";
import type { Resolver, ResolverTarget } from "./resolver.ts";

/** Returns the resolver of addresses in the target itself: "ipv4:10.0.0.1:50052,10.0.0.2:50052". */
export function staticResolver(scheme: "ipv4" | "ipv6"): Resolver {
  const example = scheme === "ipv4" ? "ipv4:address:port" : "ipv6:[address]:port";
  return {
    scheme,
    example,
    check: (target) => void addressesOf(target, example),
    async *watch(target, signal) {
      yield addressesOf(target, example);
      await aborted(signal);
    },
  };
}

function addressesOf({ name }: ResolverTarget, example: string): Address[] {
  return name.split(",").map((text) => {
    const address = parseAddress(text);
    if (address === undefined) throw new ServiceError("invalid_argument", `expected "${example}"`);
    return address;
  });
}
