/** The crash suite as a function: the end-to-end tests run some rounds of it. */
export { type CrashReport, runCrash } from "./crash/run-crash.ts";
export { table } from "./crash/table.ts";
