export { type Consul, type ConsulOptions, openConsul } from "./consul.ts";
export { deleteKey, getKey, type KeyOptions, putKey, watchKey } from "./keys.ts";
export { type ConsulRegistrarOptions, consulRegistrar } from "./registrar.ts";
export { consulResolver } from "./resolver.ts";
export { type ConsulSourceOptions, consulSource } from "./source.ts";
export type { WatchOptions } from "./watch-query.ts";
