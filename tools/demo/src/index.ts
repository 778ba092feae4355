/** The demo as a function: the end-to-end tests run it while they kill services. */
export { type DemoReport, runDemo, table } from "./run-demo.ts";
