/** The clients of a soak, in a separate process that `soak.ts` starts. */
import type { ClientCall } from "@plumbline/rpc";
import { takeCensus } from "./census.ts";
import { Gate } from "./gate.ts";
import { leakTo } from "./leak.ts";
import { type Load, startLoad } from "./load.ts";
import { type ClientProtocol, obey } from "./processes.ts";
import { takeSample } from "./sample.ts";
import { Stalls } from "./stalls.ts";

const gate = new Gate();
const kept = new Set<ClientCall>();
const stalls = new Stalls();
let load: Load | undefined;

obey<ClientProtocol>({
  async begin({ leaks, ...task }) {
    load = await startLoad({ ...task, gate, interceptors: leaks ? [leakTo(kept)] : [] });
  },
  async rest() {
    gate.close();
    await load?.atRest();
  },
  made: async () => load?.outcomes.total ?? 0,
  sample: async () => ({ ...(await takeSample()), made: load?.outcomes.total ?? 0 }),
  census: takeCensus,
  async go() {
    gate.open();
  },
  async end() {
    await load?.[Symbol.asyncDispose]();
    const { counts = {}, surprises = [], heldBack = 0 } = load?.outcomes ?? {};
    return { counts, surprises, heldBack, stalls: stalls.found };
  },
});
