import { freePort } from "@plumbline/tools-engines";
import { load } from "../competitors/load.ts";
import { Running } from "../competitors/program.ts";
import { gateway } from "../competitors/targets.ts";
import { openWorkshop } from "../competitors/workshop.ts";
import { ControlGroup } from "../control-group.ts";
import { eachRound } from "../each-round.ts";
import { watched } from "../pairs/surroundings.ts";
import { warmUp } from "../pairs/warm-up.ts";
import { type ReplicasOptions, type Scaling, type Shared, share } from "./scaling.ts";

/**
 * Measures two gateways in front of one greeter beside one, with connections divided evenly as by a
 * balancer.
 */
export async function gateways({ rounds, ms }: ReplicasOptions): Promise<Scaling | undefined> {
  await using workshop = await openWorkshop("replicas of the gateway", { competitors: false });
  if (workshop === undefined) return undefined;
  const { parts, generator } = workshop;
  await using stack = new AsyncDisposableStack();
  const all: Running[] = [];
  for (const core of [0, 1] as const) {
    const group = stack.use(new ControlGroup({ cores: share }));
    const program = gateway(parts, "full", "http2")(await freePort(), parts.upstream);
    all.push(stack.use(await Running.start(group.holding(program), core, parts.folder)));
  }

  const measure = (running: readonly Running[], time: number): Promise<Shared> =>
    watched(async () => {
      const cpu = () => running.reduce((sum, one) => sum + one.cpuSeconds(), 0);
      const before = cpu();
      const ports = running.map(({ port }) => port);
      const { calls, seconds, cpuSeconds } = await load(generator, "http", ports, time);
      return { perSecond: calls / seconds, cores: (cpu() - before) / seconds, callerCores: cpuSeconds / seconds };
    });
  await warmUp("gateways", async () => {
    const { perSecond, cores } = await measure(all, 1_000);
    return cores / perSecond;
  });

  const [one, two]: [Shared[], Shared[]] = [[], []];
  for (const round of eachRound(rounds, "gateways")) {
    one.push(await measure(all.slice(round % 2, (round % 2) + 1), ms));
    two.push(await measure(all, ms));
  }
  return { name: "gateway (http2, full)", unit: "requests/s", one, two };
}
