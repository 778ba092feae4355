import { median } from "../compare.ts";
import { pausesOf } from "../competitors/gc-file.ts";
import { at, markdown, ms, spread } from "../markdown.ts";
import { calmPairs } from "../pairs/calm-pairs.ts";
import { atLeast, type Ratio } from "../ratio.ts";
import type { Ending } from "./flow.ts";
import type { Closed, Cpu, Seen } from "./measure.ts";

/** Returns a table of the systems, for orders that end this way. */
export function endingTable(all: readonly Seen[], ending: Ending, rate: number): string {
  return markdown([head(ending, rate), ...all.map((one) => row(one, ending))]);
}

/**
 * Returns the operations of each order in the last round: a line for each system that counts them.
 */
export function operationLines(all: readonly Seen[], ending: Ending): string[] {
  return all.flatMap(({ system, closed }) => {
    const each = Object.entries(closed[ending].at(-1)?.operations ?? {}).map(([key, n]) => `${key} ${n.toFixed(1)}`);
    return each.length === 0 ? [] : [`Operations of a ${ending} order, ${system.name}: ${each.join(", ")}`];
  });
}

function head(ending: Ending, rate: number): string[] {
  return [
    `${ending} orders`,
    "orders/s",
    "CPU us an order: services",
    "Postgres",
    "Kafka",
    "all",
    "transactions an order",
    `placed to ${ending} at ${rate}/s, p50 / p99 ms`,
  ];
}

function row({ system, closed, atRate }: Seen, ending: Ending): string[] {
  const loops = closed[ending];
  const cpu = (of: (cpu: Cpu) => number): string => spread(loops.map((one) => of(one.cpu)));
  const latency = (share: number): string => ms(median(atRate[ending].map(({ latencies }) => at(latencies, share))));
  return [
    system.name,
    spread(loops.map(({ perSecond }) => perSecond)),
    cpu(({ services }) => services),
    cpu(({ postgres }) => postgres),
    cpu(({ kafka }) => kafka),
    cpu(({ services, postgres, kafka }) => services + postgres + kafka),
    median(loops.map(({ commits }) => commits)).toFixed(1),
    `${latency(0.5)} / ${latency(0.99)}`,
  ];
}

export async function processTable(all: readonly Seen[]): Promise<string> {
  const rows = [["process", "RSS MiB", "GC pauses, p50 / p99 / max ms"]];
  for (const { system } of all) {
    for (const { name, running, gcFile } of system.services) {
      const pauses = (await pausesOf(running, gcFile)).sort((a, b) => a - b);
      const shares = [0.5, 0.99, 1].map((share) => ms(at(pauses, share))).join(" / ");
      rows.push([`${name} of ${system.name}`, running.residentMiB().toFixed(0), shares]);
    }
  }
  return markdown(rows);
}

/** Returns the ratios to the loop by hand, paired by rounds. */
export function ratios(all: readonly Seen[], endings: readonly Ending[]): Ratio[] {
  const bare = all.find(({ system }) => system.prefix === "bare_");
  if (bare === undefined) return [];
  const cpuOf = ({ cpu }: Closed): number => cpu.services + cpu.postgres + cpu.kafka;
  return endings.flatMap((ending) =>
    all
      .filter((one) => one !== bare)
      .flatMap(({ system, closed }) => {
        const both = calmPairs(bare.closed[ending], closed[ending]);
        const [ours, theirs] = [system.name, bare.system.name];
        return [
          atLeast(0.8, `${ours} / ${theirs}, ${ending}: orders/s`, both, ({ perSecond }) => perSecond),
          atLeast(0.8, `${theirs} / ${ours}, ${ending}: CPU an order`, both, (one) => 1 / cpuOf(one)),
        ];
      }),
  );
}
