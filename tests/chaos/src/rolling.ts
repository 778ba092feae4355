import { sleep } from "@plumbline/concurrency";
import { ApiLoad, Balancer, describeLoad, type LoadResult } from "@plumbline/load";
import { type Stack, table } from "@plumbline/tools-stack";
import type { Report } from "./report.ts";

const perSecond = 20;
/** The pause before the first restart, between two, and after the last. */
const calmMs = 3_000;

/**
 * Restarts two gateways and two orders, one at a time, while requests arrive at a fixed rate: none
 * may fail.
 */
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
        print(`restarting ${replica.name}`);
        const began = performance.now();
        const { code, clean } = await stack.restart(replica);
        balancer.put(await stack.gateways()); // A restart may change the port.
        const seconds = ((performance.now() - began) / 1_000).toFixed(1);
        rows.push([replica.name, `${seconds} s`, clean ? "" : `ENDED WITH ${code}`]);
        await sleep(calmMs);
      }
    }
  } finally {
    stop.abort();
    await watching;
  }
  const result = await running;
  return {
    ok: result.failed === 0 && rows.length === 4 && rows.every(([, , problem]) => problem === ""),
    text: [table(["restarted", "healthy after", ""], rows), describeLoad(result, perSecond)].join("\n"),
  };
}
