import type { TransportName } from "@plumbline/rpc";
import { freePort } from "@plumbline/tools-engines";
import type { Measured } from "../competitors/measure.ts";
import { type ComparisonOptions, compareOverTransports } from "../competitors/over-transports.ts";
import type { Program } from "../competitors/program.ts";
import { certificates } from "../competitors/shipped.ts";
import { gateway, greeter, type Parts, type Target } from "../competitors/targets.ts";
import { calmPairs } from "../pairs/calm-pairs.ts";
import { atLeast, type Ratio } from "../ratio.ts";

type Environment = Readonly<Record<string, string>>;
type Settings = Readonly<Record<"greeter" | "gateway", Environment>>;

/**
 * Measures a gateway and the greeter behind it, with a certificate each and without, over each
 * transport, in interleaved pairs.
 */
export async function mtls(options: ComparisonOptions): Promise<void> {
  await compareOverTransports({ name: "mtls", group: "chain", targets, ratios }, options);
}

async function targets(transport: TransportName, parts: Parts): Promise<Target[]> {
  return [
    await chain(parts, transport, `in the clear (${transport})`, { greeter: {}, gateway: {} }),
    await chain(parts, transport, `with certificates (${transport})`, await certificates(parts.folder)),
  ];
}

function ratios([plain, secured]: readonly Measured[], transport: TransportName): Ratio[] {
  if (plain === undefined || secured === undefined) return [];
  const both = calmPairs(plain.closed, secured.closed);
  const name = `gateway + greeter (${transport}), certificates / none`;
  return [
    atLeast(0.85, `${name}: calls/s`, both, ({ perSecond }) => perSecond),
    atLeast(0.85, `${name}: calls per CPU second`, both, ({ cpuMicros }) => 1 / cpuMicros),
  ];
}

async function chain(parts: Parts, transport: TransportName, name: string, settings: Settings): Promise<Target> {
  const [before, port] = [await freePort(), await freePort()];
  const set = (program: Program, more: Environment): Program => ({ ...program, env: { ...program.env, ...more } });
  const programs = [
    set(greeter(parts, "full", transport)(before), settings.greeter),
    set(gateway(parts, "full", transport)(port, before), settings.gateway),
  ];
  return { name, group: "chain", mode: "full", programs };
}
