/** The demo as a function, and its parts: the end-to-end tests and the crash suite run it while they kill services. */
export { Api, type Order } from "./api.ts";
export { type DemoReport, runDemo, table } from "./run-demo.ts";
export { judge, type Placed, percentile } from "./verdict.ts";
