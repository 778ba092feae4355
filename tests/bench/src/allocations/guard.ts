import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { markdown, whole } from "../markdown.ts";
import { allocations } from "./allocations.ts";

/** The bytes that each service allocates for a call, as committed. */
export interface Baseline {
  /** The version of Node that they were measured with. */
  readonly node: string;
  readonly bytesPerCall: Readonly<Record<string, number>>;
}

/** A service beside its baseline. */
export interface Compared {
  readonly service: string;
  readonly before: number | undefined;
  readonly after: number | undefined;
  readonly isMore: boolean;
}

const mostMore = 1.05;

/**
 * Without the compilers that optimise. They remove allocations, at times that depend on the load of
 * the machine, so figures with them differ by more than the guard may let pass.
 */
const flags = ["--no-opt", "--no-maglev"];

/**
 * Measures the bytes that greeter and gateway allocate for each call beside the committed baseline,
 * or writes that. Sets exit code 1 if a service allocates 5 % more than it.
 */
export async function guardAllocations(root: string, { update }: { readonly update: boolean }): Promise<void> {
  const file = join(root, "tests/bench/allocations.json");
  const found: Baseline = { node: process.version, bytesPerCall: await allocations(root, flags) };
  if (update) return writeFileSync(file, `${JSON.stringify(found, undefined, 2)}\n`);
  const baseline = JSON.parse(readFileSync(file, "utf8")) as Baseline;
  const compared = compareAllocations(baseline, found);
  const rows = compared.map(({ service, before, after, isMore }) => {
    const more = before === undefined || after === undefined ? "" : `${((after / before - 1) * 100).toFixed(1)} %`;
    return [service, `${cell(before)} -> ${cell(after)}`, more, isMore ? "too many" : "ok"];
  });
  console.log(markdown([["service", "bytes per call", "more", `at most ${mostMore}`], ...rows]));
  if (baseline.node !== found.node) console.log(`The baseline is of Node ${baseline.node}, and this is ${found.node}.`);
  if (!compared.some(({ isMore }) => isMore)) return;
  console.log("If a service has reason to allocate more: npm run bench -- allocations --update");
  process.exitCode = 1;
}

/** Compares services by name. One that only a side has is not as committed either. */
export function compareAllocations(baseline: Baseline, found: Baseline): Compared[] {
  const services = new Set([...Object.keys(baseline.bytesPerCall), ...Object.keys(found.bytesPerCall)]);
  return [...services].map((service) => {
    const [before, after] = [baseline.bytesPerCall[service], found.bytesPerCall[service]];
    return { service, before, after, isMore: !((after ?? Number.NaN) <= (before ?? Number.NaN) * mostMore) };
  });
}

function cell(bytes: number | undefined): string {
  return bytes === undefined ? "none" : whole(bytes);
}
