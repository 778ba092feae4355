import { calmPairs } from "../pairs/calm-pairs.ts";
import { atLeast, atMost, type Ratio, reported } from "../ratio.ts";
import type { Measured, Sample } from "./measure.ts";
import type { Group, Mode } from "./targets.ts";

interface Aim {
  readonly group: Group;
  readonly ours: string;
  readonly theirs: string;
  readonly of: "CPU per call" | "calls/s";
  readonly aim: number;
}

const aims: readonly Aim[] = [
  { group: "rpc", ours: "greeter", theirs: "greeter-go", of: "CPU per call", aim: 1 },
  { group: "rpc", ours: "greeter", theirs: "grpc-go", of: "CPU per call", aim: 1 },
  { group: "rpc", ours: "greeter", theirs: "bare grpc-js", of: "CPU per call", aim: 1 },
  { group: "gateway", ours: "gateway", theirs: "grpc-gateway", of: "CPU per call", aim: 0.8 },
  { group: "gateway", ours: "gateway", theirs: "Fastify + grpc-js", of: "calls/s", aim: 3 },
  { group: "gateway", ours: "gateway", theirs: "NestJS + grpc-js", of: "calls/s", aim: 4 },
  { group: "gateway", ours: "gateway", theirs: "Express + grpc-js", of: "CPU per call", aim: 1 },
  { group: "gateway", ours: "gateway", theirs: "node:http + grpc-js", of: "CPU per call", aim: 1 },
  { group: "chain", ours: "gateway + greeter", theirs: "grpc-gateway + greeter-go", of: "calls/s", aim: 1.2 },
];

/**
 * Every ratio both sides of which were measured, in each mode and over each of our transports.
 * Those of the default as it ships have no aim, since only that side has certificates and tokens.
 */
export function ratios(measured: readonly Measured[]): Ratio[] {
  const found: Ratio[] = [];
  for (const { group, ours, theirs, of, aim } of aims) {
    for (const mode of ["bare", "full"] as const) {
      const competitor = measured.find((one) => is(one, group, theirs, mode));
      if (competitor === undefined) continue;
      for (const own of measured.filter((one) => is(one, group, `${ours} (`, mode))) {
        const name = `${own.target.name} / ${theirs}, ${mode}: ${of}`;
        const both = calmPairs(competitor.closed, own.closed);
        found.push(of === "calls/s" ? atLeast(aim, name, both, rateOf) : atMost(aim, name, both, cpuOf));
      }
    }
  }
  for (const own of measured.filter(({ target }) => target.mode === "as it ships")) {
    const { group, name } = own.target;
    const plain = measured.find((one) => is(one, group, name, "full"));
    const others = aims.filter((aim) => aim.group === group && name.startsWith(`${aim.ours} (`));
    const beside = others.flatMap(({ theirs, of }) => {
      const competitor = measured.find((one) => is(one, group, theirs, "full"));
      return competitor === undefined ? [] : [{ competitor, words: `${theirs}, full`, of }];
    });
    if (plain !== undefined) beside.push({ competitor: plain, words: "full", of: "CPU per call" });
    for (const { competitor, words, of } of beside) {
      const both = calmPairs(competitor.closed, own.closed);
      found.push(reported(`${name}, as it ships / ${words}: ${of}`, both, of === "calls/s" ? rateOf : cpuOf));
    }
  }
  for (const on of measured.filter(({ target }) => target.mode === "full, 10 % of traces exported")) {
    const off = measured.find((one) => is(one, "gateway", on.target.name, "full"));
    if (off === undefined) continue;
    found.push(
      atLeast(0.95, `${on.target.name}, traces 10 % / none: calls/s`, calmPairs(off.closed, on.closed), rateOf),
    );
  }
  return found;
}

function rateOf({ perSecond }: Sample): number {
  return perSecond;
}

function cpuOf({ cpuMicros }: Sample): number {
  return cpuMicros;
}

function is({ target }: Measured, group: Group, name: string, mode: Mode): boolean {
  const fits = name.endsWith("(") ? target.name.startsWith(name) : target.name === name;
  return target.group === group && target.mode === mode && fits;
}
