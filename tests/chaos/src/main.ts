/** `npm run chaos`: a running system while its parts die, restart, stop and multiply. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { freeStackPorts, givenTransport, openCompose, openProcesses, type Stack } from "@plumbline/tools-stack";
import { choice, runCommand } from "@plumbline/tools-stack/command";
import { outages, type Victim, victims } from "./outages.ts";
import type { Report } from "./report.ts";
import { rolling } from "./rolling.ts";
import { scale } from "./scale.ts";
import { stop } from "./stop.ts";

await runCommand(
  {
    name: "npm run chaos",
    about:
      "Breaks a running system in the ways that it has to survive, and counts orders. Without a part it runs all of them.",
    words: {
      outages: `each of ${victims.join(", ")} killed for 20 s in the middle of 200 orders: 200 of 200`,
      ...Object.fromEntries(victims.map((victim) => [victim, `${victim} alone`])),
      scale: "two gateways, two orders, three workers: watched through one gateway, cancelled through the other",
      rolling: "two gateways and two orders restarted one at a time under 20 requests a second: 0 failed",
      stop: "everything stopped under load: each ends in order, and every accepted order ends after the next start",
    },
    options: {
      stack: choice(
        "what runs the system: docker compose, or processes without engines to kill",
        ["compose", "processes"],
        {
          preset: "compose",
        },
      ),
    },
    notes: [
      "The stack is one of its own, on free ports, removed at the end with its data.",
      "Exit codes: 0 every promise was kept, 1 one was broken, 2 wrong command line.",
    ],
  },
  async ({ values, words }) => {
    const has = (part: string) => words.length === 0 || words.includes(part);
    console.log(`Starting a stack of its own (${values.stack})…`);
    await using stack = await (values.stack === "compose" ? openCompose({ project: "plumbline-chaos" }) : processes());
    for (const signal of ["SIGINT", "SIGTERM"] as const) {
      process.once(signal, () => void stack[Symbol.asyncDispose]().then(() => process.exit(130)));
    }
    const killed = victims.filter((victim) => has("outages") || words.includes(victim));
    let isBroken = false;
    for (const running of reports(stack, killed, has)) {
      const { text, ok } = await running;
      console.log(`\n${text}\n`);
      isBroken ||= !ok;
    }
    console.log(isBroken ? "A promise was broken." : "Every promise was kept.");
    return isBroken ? 1 : 0;
  },
);
process.exit(); // A demo that was given up may still be retrying.

/** Runs the chosen parts in turn: a later one finds the stack as the one before left it. */
function* reports(stack: Stack, chosen: readonly Victim[], has: (part: string) => boolean): Generator<Promise<Report>> {
  const killed = chosen.filter((victim) => stack.killable.includes(victim));
  const skipped = chosen.filter((victim) => !killed.includes(victim));
  if (skipped.length > 0) console.log(`NOT TESTED: ${skipped.join(", ")} cannot be killed as ${stack.kind}`);
  if (killed.length > 0) yield outages(stack, killed, console.log);
  if (has("scale")) yield scale(stack, console.log);
  if (has("rolling")) yield rolling(stack, console.log);
  if (has("stop")) yield stop(stack, console.log);
}

async function processes(): Promise<Stack> {
  const folder = mkdtempSync(join(tmpdir(), "plumbline-chaos-"));
  try {
    const stack = await openProcesses({
      root: resolve(import.meta.dirname, "../../.."),
      dataDir: folder,
      ports: await freeStackPorts(),
      transport: givenTransport(),
      // The time in which a balancer notices that a gateway drains, as in docker-compose.yml.
      environment: { GATEWAY_DRAIN_MS: "2000" },
      onLine: () => {},
    });
    const remove = async () => {
      await stack[Symbol.asyncDispose]();
      rmSync(folder, { recursive: true, force: true });
    };
    let closing: Promise<void> | undefined;
    return { ...stack, [Symbol.asyncDispose]: () => (closing ??= remove()) };
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }
}
