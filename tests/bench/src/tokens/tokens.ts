import { writeFileSync } from "node:fs";
import { transportNames } from "@plumbline/rpc";
import { freePort } from "@plumbline/tools-engines";
import { machineOf } from "../competitors/machine.ts";
import { type Measured, measure } from "../competitors/measure.ts";
import { table } from "../competitors/report.ts";
import { guarded, tokens as openTokens } from "../competitors/shipped.ts";
import { gateway, type Target } from "../competitors/targets.ts";
import { openWorkshop } from "../competitors/workshop.ts";
import { calmPairs } from "../pairs/calm-pairs.ts";
import { atLeast, type Ratio, ratioTable, reported } from "../ratio.ts";

export interface TokensOptions {
  readonly rounds: number;
  readonly ms: number;
  readonly json: string | undefined;
}

/**
 * Measures the gateway with an access token on each call, which it has verified before, and with
 * authentication off, over each transport, in interleaved pairs. All calls are of one caller. A
 * third row has authentication off and tokens sent, since their bytes cost something by themselves.
 */
export async function tokens({ rounds, ms, json }: TokensOptions): Promise<void> {
  await using workshop = await openWorkshop("tokens", { competitors: false });
  if (workshop === undefined) return;
  const { parts, generator } = workshop;
  const machine = machineOf();
  console.log(`\n${machine}\n`);
  const [all, found]: [Measured[], Ratio[]] = [[], []];
  for (const transport of transportNames) {
    const { issuer, settings, authorization } = await openTokens(parts);
    const make = async () => guarded(parts, gateway(parts, "full", transport)(await freePort(), parts.upstream));
    const [open, deaf, closed] = [await make(), await make(), await make()];
    const common = { group: "gateway", mode: "full" } as const;
    const targets: Target[] = [
      { ...common, name: `authentication off (${transport})`, programs: [open] },
      // Its issuer is that of the next one too.
      { ...common, name: `the same, token sent (${transport})`, programs: [deaf], behind: [issuer], authorization },
      {
        ...common,
        name: `with tokens (${transport})`,
        programs: [{ ...closed, env: { ...closed.env, ...settings } }],
        authorization,
      },
    ];
    const measured = await measure(targets, { generator, folder: parts.folder, rounds, ms, rate: 0 });
    all.push(...measured);
    const [without, ignored, asked] = measured;
    if (without === undefined || ignored === undefined || asked === undefined) continue;
    const both = calmPairs(without.closed, asked.closed);
    const name = `gateway (${transport}), tokens / none`;
    found.push(
      atLeast(0.95, `${name}: calls/s`, both, ({ perSecond }) => perSecond),
      atLeast(0.95, `${name}: calls per CPU second`, both, ({ cpuMicros }) => 1 / cpuMicros),
      reported(
        `gateway (${transport}), tokens / sent and not read: calls per CPU second`,
        calmPairs(ignored.closed, asked.closed),
        ({ cpuMicros }) => 1 / cpuMicros,
      ),
    );
  }
  console.log(`${table("gateway", all, 0)}\n`);
  console.log(ratioTable(found));
  if (json !== undefined)
    writeFileSync(json, `${JSON.stringify({ machine, measured: all, ratios: found }, undefined, 2)}\n`);
}
