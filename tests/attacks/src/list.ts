import type { Attack } from "./attack.ts";
import { bigPages, hangUps, unreadAnswers } from "./attacks/answers.ts";
import { slowBody } from "./attacks/bodies.ts";
import { manyConnections, silentOpsConnections } from "./attacks/connections.ts";
import { unreadCalls } from "./attacks/grpc.ts";
import { foreignTraces, localDatabase, manyNames } from "./attacks/identity.ts";
import { queueFlood } from "./attacks/orders.ts";
import { foreignHosts, foreignPages, refusedBytes } from "./attacks/pages.ts";
import { idleStreams } from "./attacks/streams.ts";

/** The attacks in their order. The queue of orders comes last, since it drains slowly. */
export const attacks: readonly Attack[] = [
  foreignHosts,
  foreignPages,
  foreignTraces,
  localDatabase,
  refusedBytes,
  manyNames,
  slowBody,
  idleStreams,
  hangUps,
  bigPages,
  unreadCalls,
  unreadAnswers,
  silentOpsConnections,
  manyConnections,
  queueFlood,
];

/**
 * The attacks that the system does not repel yet, with the reason. `npm run attacks` runs them, and
 * says OPEN instead of MISSED. The short form leaves them out.
 */
export const open: Readonly<Record<string, string>> = {};
