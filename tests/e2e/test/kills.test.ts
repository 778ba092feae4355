import assert from "node:assert/strict";
import test from "node:test";
import { runDemo, table } from "@plumbline/load";
import { eventually } from "../src/http.ts";
import { runStack } from "../src/stack.ts";

async function until(condition: () => boolean): Promise<void> {
  await eventually(async () => condition(), Boolean, 60_000);
}

for (const victim of ["orders", "worker", "gateway"]) {
  test(`${victim} killed three times under 120 orders: no order is lost or doubled`, async () => {
    await using running = await runStack();
    const program = running.stack.programs.get(victim);
    assert.ok(program);
    const progress = { steps: 0 };
    const demo = runDemo({
      base: running.base,
      orders: 120,
      onProgress: ({ placed, ended }) => {
        progress.steps = placed + ended;
      },
    });
    for (const steps of [10, 60, 110]) {
      await until(() => progress.steps >= steps);
      const killed: number | undefined = program.pid;
      assert.ok(killed);
      process.kill(killed, "SIGKILL");
      await until(() => program.pid !== undefined && program.pid !== killed);
    }
    const report = await demo;
    assert.ok(report.ok, table(report));
    assert.equal(report.placed, 120);
    assert.ok(program.restarts >= 3);
  });
}
