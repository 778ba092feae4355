/** The crash suite as a function: the end-to-end tests run some rounds of it. */
export { type CrashReport, runCrash } from "./run-crash.ts";
export { table } from "./table.ts";
