/** The servers of a soak, in a separate process that `soak.ts` starts. */
import type { ServerCall } from "@plumbline/rpc";
import { takeCensus } from "./census.ts";
import { Gate } from "./gate.ts";
import { leakTo } from "./leak.ts";
import { obey, type ServerProtocol } from "./processes.ts";
import { takeSample } from "./sample.ts";
import { type Servers, startServers } from "./servers.ts";
import { Stalls } from "./stalls.ts";

const gate = new Gate();
const kept = new Set<ServerCall>();
const stalls = new Stalls();
let servers: Servers | undefined;

obey<ServerProtocol>({
  async begin({ transport, pace, leaks }) {
    servers = await startServers({ transport, pace, gate, interceptors: leaks ? [leakTo(kept)] : [] });
    return servers.ports;
  },
  async rest() {
    gate.close();
    await servers?.atRest();
  },
  sample: takeSample,
  census: takeCensus,
  async go() {
    gate.open();
  },
  async end() {
    await servers?.[Symbol.asyncDispose]();
    return { stalls: stalls.found };
  },
});
