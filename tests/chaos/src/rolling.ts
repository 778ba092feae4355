import { sleep } from "@plumbline/concurrency";
import { ApiLoad, Balancer, describeLoad, type LoadResult } from "@plumbline/load";
import { table } from "@plumbline/tools-stack";
import type { Report } from "./report.ts";
import type { Stack } from "./stack.ts";

const perSecond = 20;
/** Before the first restart, between two, and after the last. */
const calmMs = 3_000;

/** Restarts two gateways and two orders, one at a time, while requests arrive at a fixed rate: none may fail. */
export async function rolling(stack: Stack, print: (text: string) => void): Promise<Report> {
  await stack.up({ gateway: 2, orders: 2 });
  const balancer = new Balancer(await stack.gateways());
  const load = new ApiLoad(balancer);
  const stop = new AbortController();
  const watching = balancer.run(stop.signal);
  const rows: string[][] = [];
  let running: Promise<LoadResult>;
  try {
    await balancer.ready();
    running = load.run(perSecond, stop.signal);
    await sleep(calmMs);
    for (const service of ["gateway", "orders"]) {
      for (const replica of await stack.replicas(service)) {
        print(`restarting ${replica.Name}`);
        const began = performance.now();
        await stack.restart(replica);
        balancer.put(await stack.gateways()); // Its port may be another.
        rows.push([replica.Name, `${((performance.now() - began) / 1_000).toFixed(1)} s`]);
        await sleep(calmMs);
      }
    }
  } finally {
    stop.abort();
    await watching;
  }
  const result = await running;
  return {
    ok: result.failed === 0 && rows.length === 4,
    text: [table(["restarted", "healthy after"], rows), describeLoad(result, perSecond)].join("\n"),
  };
}
