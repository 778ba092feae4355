/** The embedded stack: Postgres, the four services and the supplier as processes of this machine, from npm alone. */
export { freeStackPorts } from "./preflight.ts";
export type { Adapter, Entry, Ports, Program, Transport } from "./stack.ts";
export { databases, defaultPorts, givenTransport, programs, transports } from "./stack.ts";
export { type Stack, type StackOptions, startStack } from "./start-stack.ts";
export type { Supervised } from "./supervised.ts";
