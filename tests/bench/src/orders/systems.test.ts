/** The systems of `npm run bench -- orders`, started as it does, with a few orders. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { test } from "node:test";
import { buildOurs } from "../competitors/build.ts";
import { startEngines } from "./engines.ts";
import { Customer } from "./flow.ts";
import { closedLoop } from "./measure.ts";
import { type Adapter, startOurs, startSupplier } from "./systems.ts";

const root = resolve(import.meta.dirname, "../../../..");

test("orders and worker start on each carrier, and their orders come to both ends", async (t) => {
  buildOurs(root, ["orders", "worker"]);
  await using stack = new AsyncDisposableStack();
  const folder = stack.adopt(mkdtempSync(join(tmpdir(), "plumbline-bench-")), (path) =>
    rmSync(path, { recursive: true, force: true }),
  );
  const engines = stack.use(await startEngines());
  const without = { root, competitors: undefined, folder, engines, flags: [], kafkaClient: "platformatic" } as const;
  const site = { ...without, supplier: await startSupplier(without, stack) };
  const carriers: readonly Adapter[] = engines.kafkaPort === undefined ? ["postgres"] : ["postgres", "kafka"];
  for (const carrier of carriers) {
    const system = await startOurs(site, carrier, carrier, stack);
    await using customer = await Customer.open(system);
    for (const ending of ["fulfilled", "rejected"] as const) {
      const { perSecond, cpu } = await closedLoop({ system, customer }, ending, engines, 5);
      assert.ok(perSecond > 0 && cpu.services >= 0 && cpu.postgres >= 0, `${carrier}, ${ending}`);
      t.diagnostic(`${carrier}, ${ending}: ${Math.round(perSecond)} orders a second`);
    }
  }
});
