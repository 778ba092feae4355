/** The embedded stack: Postgres, the four services and the supplier as processes of this machine, from npm alone. */
export { freeStackPorts } from "./preflight.ts";
export type { Adapter, Entry, Ports, Program } from "./stack.ts";
export { databases, defaultPorts, programs } from "./stack.ts";
export { type Stack, type StackOptions, startStack } from "./start-stack.ts";
export type { Supervised } from "./supervised.ts";
