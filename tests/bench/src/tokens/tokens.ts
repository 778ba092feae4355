import type { TransportName } from "@plumbline/rpc";
import { freePort } from "@plumbline/tools-engines";
import type { Measured } from "../competitors/measure.ts";
import { type ComparisonOptions, compareOverTransports } from "../competitors/over-transports.ts";
import { guarded, tokens as openTokens } from "../competitors/shipped.ts";
import { gateway, type Parts, type Target } from "../competitors/targets.ts";
import { calmPairs } from "../pairs/calm-pairs.ts";
import { atLeast, type Ratio, reported } from "../ratio.ts";

/**
 * Measures the gateway with an access token on each call, which it has verified before, and with
 * authentication off, over each transport, in interleaved pairs. All tokens are of one caller. A
 * third row has authentication off and tokens sent, since their bytes cost something by themselves.
 */
export async function tokens(options: ComparisonOptions): Promise<void> {
  await compareOverTransports({ name: "tokens", group: "gateway", targets, ratios }, options);
}

async function targets(transport: TransportName, parts: Parts): Promise<Target[]> {
  const { issuer, settings, authorization } = await openTokens(parts);
  const make = async () => guarded(parts, gateway(parts, "full", transport)(await freePort(), parts.upstream));
  const asked = await make();
  const common = { group: "gateway", mode: "full" } as const;
  return [
    { ...common, name: `authentication off (${transport})`, programs: [await make()] },
    // Its issuer is that of the next one too.
    {
      ...common,
      name: `the same, token sent (${transport})`,
      programs: [await make()],
      behind: [issuer],
      authorization,
    },
    {
      ...common,
      name: `with tokens (${transport})`,
      programs: [{ ...asked, env: { ...asked.env, ...settings } }],
      authorization,
    },
  ];
}

function ratios([without, ignored, asked]: readonly Measured[], transport: TransportName): Ratio[] {
  if (without === undefined || ignored === undefined || asked === undefined) return [];
  const both = calmPairs(without.closed, asked.closed);
  const name = `gateway (${transport}), tokens`;
  return [
    atLeast(0.95, `${name} / none: calls/s`, both, ({ perSecond }) => perSecond),
    atLeast(0.95, `${name} / none: calls per CPU second`, both, ({ cpuMicros }) => 1 / cpuMicros),
    reported(
      `${name} / sent and not read: calls per CPU second`,
      calmPairs(ignored.closed, asked.closed),
      ({ cpuMicros }) => 1 / cpuMicros,
    ),
  ];
}
