export type { Address } from "./address.ts";
export type { Registrar, Registration } from "./registrar.ts";
export type { Resolver, ResolverTarget } from "./resolver.ts";
