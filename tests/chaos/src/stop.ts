import { sleep } from "@plumbline/concurrency";
import { Api, ApiLoad, Balancer, describeLoad, type LoadResult, type Order } from "@plumbline/load";
import { type Ended, type Stack, table } from "@plumbline/tools-stack";
import type { Report } from "./report.ts";

const perSecond = 20;
const beforeMs = 4_000;
/** An event in flight may take the retry topics: 5 s, then a minute. */
const settleMs = 120_000;

/**
 * Stops everything under load. Each container must exit cleanly, and after the next start every
 * accepted order must end.
 */
export async function stop(stack: Stack, print: (text: string) => void): Promise<Report> {
  await stack.up();
  const balancer = new Balancer(await stack.gateways());
  const load = new ApiLoad(balancer);
  const enough = new AbortController();
  const watching = balancer.run(enough.signal);
  let running: Promise<LoadResult>;
  let ended: readonly Ended[];
  let stoppedMs: number;
  try {
    await balancer.ready();
    running = load.run(perSecond, enough.signal);
    await sleep(beforeMs);
    print("stopping everything under load");
    const began = performance.now();
    ended = await stack.stop();
    stoppedMs = performance.now() - began;
  } finally {
    enough.abort();
    await watching;
  }
  const result = await running;
  const failed = ended.filter(({ clean }) => !clean);
  const logs = await Promise.all(failed.map(({ service }) => stack.logs(service, 5)));

  print(`starting again: ${load.accepted.length} orders were accepted`);
  await stack.up();
  const [base = ""] = await stack.gateways();
  const lost = await notEnded(new Api(base), load);
  return {
    ok: failed.length === 0 && lost.length === 0 && load.accepted.length > 0,
    text: [
      table(
        ["stopped", "exit code", ""],
        ended.map(({ name, code, clean }) => [name, String(code ?? "signal"), clean ? "" : "FAILED"]),
      ),
      ...logs,
      `  stopped in ${(stoppedMs / 1_000).toFixed(1)} s`,
      describeLoad(result, perSecond).replace("failed", "found the gateway gone"),
      `  ${load.accepted.length - lost.length} of ${load.accepted.length} accepted orders ended, ${lost.length} lost`,
      ...lost.slice(0, 10).map((id) => `  ${id}`),
    ].join("\n"),
  };
}

/**
 * Returns accepted orders that are not listed, that do not end in time, or that ended more than
 * once.
 */
async function notEnded(api: Api, { customerId, accepted }: ApiLoad): Promise<string[]> {
  const until = performance.now() + settleMs;
  for (;;) {
    const listed = new Map<string, Order>((await api.list(customerId)).map((order) => [order.id, order]));
    const missing = accepted.filter((id) => listed.get(id)?.version !== "2");
    if (missing.length === 0 || performance.now() > until) return missing;
    await sleep(250);
  }
}
