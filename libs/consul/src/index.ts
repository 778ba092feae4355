export { type Consul, type ConsulOptions, openConsul } from "./consul.ts";
export { deleteKey, getKey, type KeyOptions, putKey, watchKey } from "./keys.ts";
export type { WatchOptions } from "./watch-query.ts";
