/** The servers of a soak, in a process of their own. `soak.ts` starts it. */
import type { ServerCall } from "../../src/call.ts";
import { takeCensus } from "../soak/census.ts";
import { Gate } from "../soak/gate.ts";
import { leakTo } from "../soak/leak.ts";
import { obey, type ServerProtocol } from "../soak/processes.ts";
import { takeSample } from "../soak/sample.ts";
import { type Servers, startServers } from "../soak/servers.ts";

const gate = new Gate();
const kept = new Set<ServerCall>();
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
  },
});
