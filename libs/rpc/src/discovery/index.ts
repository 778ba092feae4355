export type { Address } from "./address.ts";
export { type AddressListener, AddressWatch } from "./address-watch.ts";
export { type DnsOptions, dnsResolver } from "./dns.ts";
export type { Registrar, Registration } from "./registrar.ts";
export type { Resolver, ResolverTarget } from "./resolver.ts";
export { parseTarget, type Target } from "./target.ts";
