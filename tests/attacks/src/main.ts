/** `npm run attacks`: a running stack under each attack that is known, and what others get. */
import { readFileSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { type Transport, transports, whyNoCompose } from "@plumbline/tools-stack";
import { choice, flag, paint, runCommand, text, UsageError, whole } from "@plumbline/tools-stack/command";
import type { Attack } from "./attack.ts";
import { fairnessCases } from "./fairness/cases.ts";
import { attacks, open } from "./list.ts";
import { withTables } from "./page.ts";
import { reproductions } from "./reproductions.ts";
import { type Result, runAttack } from "./run.ts";
import { openTarget } from "./target.ts";

await runCommand(
  {
    name: "npm run attacks",
    about: "Attacks an embedded stack on this machine, and counts what other clients get. Needs Linux.",
    options: {
      transport: choice("one implementation of gRPC instead of each", transports),
      write: flag("writes docs/security-tests.md and attacks nothing"),
      short: flag("fewer connections and requests, as in npm test"),
      only: text("only attacks with this in their name", { takes: "NAME" }),
      compose: flag("attacker and other client as two containers on network edge of docker-compose.yml; needs Docker"),
      fairness: flag("another client's success and p99 beside one client at its limit, and the memory of all"),
      seconds: whole("length of each half of a case of --fairness", { least: 3, most: 120, preset: 15 }),
    },
    notes: [
      "The stack is one of its own, on free ports of 127.0.0.1, removed at the end with its data.",
      "docs/security-tests.md lists the attacks. --fairness takes about ten minutes, and builds the services first.",
      "--compose builds the images first.",
      "Exit codes: 0 each is repelled or met, 1 one is not, 2 wrong command line.",
    ],
  },
  async ({ values }) => {
    if (values.write === true) {
      const page = resolve(import.meta.dirname, "../../../docs/security-tests.md");
      writeFileSync(page, withTables(readFileSync(page, "utf8"), reproductions));
      console.log("docs/security-tests.md is written");
      return 0;
    }
    if (process.platform !== "linux") {
      console.log(`NOT RUN: attackers need addresses such as 127.0.0.66, which ${process.platform} does not have`);
      return 0;
    }
    const over = values.transport === undefined ? transports : [values.transport];
    const chosenOf = <T extends { readonly name: string }>(all: readonly T[]): readonly T[] => {
      const found = all.filter(({ name }) => name.toLowerCase().includes(values.only?.toLowerCase() ?? ""));
      if (found.length === 0) throw new UsageError(`--only: no attack has ${JSON.stringify(values.only)} in its name`);
      return found;
    };
    if (values.fairness === true) {
      const { fairness } = await import("./fairness/fairness.ts");
      const isMet = await fairness({ transports: over, seconds: values.seconds, cases: chosenOf(fairnessCases) });
      return isMet ? 0 : 1;
    }
    if (values.compose === true) {
      const why = whyNoCompose();
      if (why !== false) {
        console.log(`NOT RUN: ${why}`);
        return 1;
      }
      const { attackCompose, composeAttacks } = await import("./compose/attack-compose.ts");
      const chosen = chosenOf(composeAttacks);
      let missed = 0;
      for (const transport of over) {
        console.log(`\nCalls over ${transport}, in containers`);
        const { results, memory, notMeasured } = await attackCompose(transport, chosen, values.short !== true, print);
        missed += results.filter(({ misses }) => misses.length > 0).length;
        console.log(`\n${memory}`);
        if (notMeasured.length > 0) console.log(`NOT MEASURED: the memory of ${notMeasured.join(", ")}`);
        missed += notMeasured.length > 0 ? 1 : 0;
      }
      console.log(`${chosen.length * over.length} attacks, ${missed} missed`);
      return missed === 0 ? 0 : 1;
    }
    const wanted = chosenOf(attacks);
    const results: Result[] = [];
    for (const transport of over) {
      results.push(...(await attackOver(transport, wanted, values.short !== true)));
    }
    const missed = results.filter(({ misses }) => misses.length > 0);
    const known = missed.filter(({ attack }) => open[attack.name] !== undefined);
    console.log(
      `${results.length} attacks: ${results.length - missed.length} repelled, ${known.length} open, ${missed.length - known.length} missed`,
    );
    return missed.length === known.length ? 0 : 1;
  },
);
process.exit(); // Requests of clients that were given up may still wait.

async function attackOver(transport: Transport, wanted: readonly Attack[], full: boolean): Promise<Result[]> {
  console.log(`\nCalls over ${transport}`);
  await using target = await openTarget(transport);
  const results: Result[] = [];
  for (const attack of wanted) {
    const result = await runAttack(attack, target, full);
    results.push(result);
    print(result);
  }
  return results;
}

function print({ attack, sent, seen, misses, seconds }: Result): void {
  const verdict =
    misses.length === 0
      ? paint("green", "repelled")
      : open[attack.name] !== undefined
        ? paint("yellow", "OPEN    ")
        : paint("red", "MISSED  ");
  console.log(`${verdict}  ${attack.name} (${sent} sent, ${seconds.toFixed(1)} s): ${seen}`);
  for (const miss of misses) console.log(`          ${miss}`);
}
