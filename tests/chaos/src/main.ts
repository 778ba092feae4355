/** `npm run chaos`: the stack of docker-compose.yml while its parts die, restart, stop and multiply. */

import { openCompose, type Stack } from "@plumbline/tools-stack";
import { outages, type Victim, victims } from "./outages.ts";
import type { Report } from "./report.ts";
import { rolling } from "./rolling.ts";
import { scale } from "./scale.ts";
import { stop } from "./stop.ts";

const usage = `npm run chaos -- [PART…]     all of them without one

  outages     each of ${victims.join(", ")} killed for 20 s in the middle of 200 orders: 200 of 200, five times
  VICTIM      one of these outages
  scale       two gateways, two orders, three workers: watched through one gateway, cancelled through the other
  rolling     two gateways and two orders restarted one at a time under 20 requests a second: 0 failed
  stop        everything stopped under load: each ends in order, and every accepted order has its end after the next start

The stack is one of its own, on free ports, removed at the end with its data. Needs Docker. Exit 1 if a promise breaks.`;

const parts = ["outages", ...victims, "scale", "rolling", "stop"];
const chosen = process.argv.slice(2);
if (!chosen.every((part) => parts.includes(part))) {
  console.error(usage);
  process.exit(1);
}
const has = (part: string) => chosen.length === 0 || chosen.includes(part);
const killed: readonly Victim[] = victims.filter((victim) => has("outages") || chosen.includes(victim));

/** Each part that was chosen, in turn: a later one finds the stack as the one before left it. */
function* reports(stack: Stack): Generator<Promise<Report>> {
  if (killed.length > 0) yield outages(stack, killed, console.log);
  if (has("scale")) yield scale(stack, console.log);
  if (has("rolling")) yield rolling(stack, console.log);
  if (has("stop")) yield stop(stack, console.log);
}

try {
  console.log("Building and starting a stack of its own…");
  await using stack = await openCompose({ project: "plumbline-chaos" });
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => void stack[Symbol.asyncDispose]().then(() => process.exit(130)));
  }
  for (const running of reports(stack)) {
    const { text, ok } = await running;
    console.log(`\n${text}\n`);
    if (!ok) process.exitCode = 1;
  }
  console.log(process.exitCode === 1 ? "A promise was broken." : "Every promise was kept.");
} catch (error) {
  console.error("Not finished:", error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
process.exit(); // A demo that was given up may be trying still.
