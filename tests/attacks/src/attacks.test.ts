/** The attacks in their short form, over each transport. */
import assert from "node:assert/strict";
import test, { after, before, describe } from "node:test";
import { transports } from "@plumbline/tools-stack";
import { attacks, open } from "./list.ts";
import { runAttack } from "./run.ts";
import { openTarget, type RunningTarget } from "./target.ts";

const why = process.platform !== "linux" && "NOT RUN: attackers need addresses such as 127.0.0.66";

for (const transport of transports) {
  describe(`with calls over ${transport}`, { skip: why }, () => {
    let target: RunningTarget;
    before(async () => {
      target = await openTarget(transport);
    });
    after(() => target?.[Symbol.asyncDispose]());

    for (const attack of attacks.filter(({ name }) => open[name] === undefined)) {
      test(`${attack.name}: ${attack.right}`, async (t) => {
        const { misses, seen, sent } = await runAttack(attack, target, false);
        t.diagnostic(`${sent} sent: ${seen}`);
        assert.deepEqual(misses, []);
      });
    }
  });
}
