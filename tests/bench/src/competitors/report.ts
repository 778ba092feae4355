import { median } from "../compare.ts";
import { at, markdown, ms, spread } from "../markdown.ts";
import type { Measured, Sample } from "./measure.ts";
import type { Group, Mode } from "./targets.ts";

const headings: Readonly<Record<Group, string>> = {
  rpc: "gRPC servers: SayHello",
  gateway: "Gateways in front of one greeter: GET /v1/greetings/Ada",
  chain: "Gateway and greeter on one core, end to end",
};

/** A group as a table in Markdown: medians, in brackets the least and the most. */
export function table(group: Group, measured: readonly Measured[], rate: number): string {
  const rows = measured.filter(({ target }) => target.group === group);
  const atRate = rate > 0 ? [`p50 / p99 / p99.9 at ${rate}/s, ms`] : [];
  const head = [
    "",
    "mode",
    "CPU us per call",
    "calls/s",
    "p50 / p99 / p99.9, ms",
    ...atRate,
    "RSS MiB",
    "GC p99 / max ms",
  ];
  const cells = rows.toSorted((a, b) => byMode(a, b) || cpuOf(a) - cpuOf(b)).map((one) => cellsOf(one, rate));
  return `${headings[group]}\n\n${markdown([head, ...cells])}`;
}

function cellsOf(one: Measured, rate: number): string[] {
  const pauses = one.pauses;
  const gc = pauses.length === 0 ? "" : `${ms(at(pauses, 0.99))} / ${ms(at(pauses, 1))}`;
  return [
    one.target.name,
    one.target.mode,
    spread(one.closed.map(({ cpuMicros }) => cpuMicros)),
    spread(one.closed.map(({ perSecond }) => perSecond)),
    latencies(one.closed),
    ...(rate > 0 ? [latencies(one.atRate)] : []),
    one.residentMiB.toFixed(0),
    gc,
  ];
}

const modes: readonly Mode[] = [
  "bare",
  "full",
  "full, 10 % of traces exported",
  "full, all traces exported",
  "as it ships",
];

function byMode(a: Measured, b: Measured): number {
  return modes.indexOf(a.target.mode) - modes.indexOf(b.target.mode);
}

function cpuOf({ closed }: Measured): number {
  return median(closed.map(({ cpuMicros }) => cpuMicros));
}

/** The medians of the rounds' latencies, in ms. */
export function latencies(samples: readonly Sample[]): string {
  return (["p50", "p99", "p999"] as const)
    .map((key) => ms(median(samples.map(({ load }) => load[key])) / 1_000))
    .join(" / ");
}
