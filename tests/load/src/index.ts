/**
 * Loads with a verdict: the orders of the demo, and requests at a fixed rate. The end-to-end and
 * chaos tests run them while services are killed.
 */
export { Api, type Order } from "./demo/api.ts";
export { type DemoReport, runDemo, table } from "./demo/run-demo.ts";
export { judge, type Placed, percentile } from "./demo/verdict.ts";
export { ApiLoad } from "./steady/api-load.ts";
export { Balancer } from "./steady/balancer.ts";
export { describeLoad } from "./steady/describe-load.ts";
export { type LoadResult, type Request, steadyLoad } from "./steady/steady-load.ts";
