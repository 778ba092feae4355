/** A load of requests that must not fail, sent through whichever gateway is ready. */
export { ApiLoad } from "./api-load.ts";
export { Balancer } from "./balancer.ts";
export { describeLoad } from "./describe-load.ts";
export type { LoadResult } from "./steady-load.ts";
