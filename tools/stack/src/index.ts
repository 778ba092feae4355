/** The embedded stack: Postgres, the four services and the supplier as processes of this machine, from npm alone. */

export { builtImages, type Container, containers } from "./compose/compose.ts";
export { docker } from "./compose/docker.ts";
export { endReport } from "./compose/end-report.ts";
export { sizes } from "./compose/sizes.ts";
export { table } from "./compose/table.ts";
export { freeStackPorts } from "./processes/preflight.ts";
export type { Adapter, Entry, Ports, Program, Transport } from "./processes/stack.ts";
export { databases, defaultPorts, givenTransport, programs, transports } from "./processes/stack.ts";
export { type Stack, type StackOptions, startStack } from "./processes/start-stack.ts";
export type { Supervised } from "./processes/supervised.ts";
