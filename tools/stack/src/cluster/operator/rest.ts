/** The parts of the verb `operator` in which nothing changes, or the API server says nothing. */
import { sleep } from "@plumbline/concurrency";
import { type Report, seconds } from "../report.ts";
import { type LocalOperators, recordCpu } from "./local-operators.ts";
import { backendService, smallSpec } from "./resources.ts";
import { type Cluster, until } from "./until.ts";

const silentS = 90;
const resumedS = 35;
const patienceMs = 120_000;

/** Counts writes and processor time while nothing changes. */
export async function rest(operators: LocalOperators, report: Report, restS: number): Promise<void> {
  const writes = () => operators.all.reduce((sum, operator) => sum + operator.writes().length, 0);
  for (let before = -1; before !== writes(); await sleep(3_000)) before = writes();
  const before = writes();
  // Shows that the proxies count: the leader renews.
  const renewals = () => operators.all.reduce((sum, { proxy }) => sum + proxy.requests.filter(isRenewal).length, 0);
  const renewed = renewals();
  const cpus = operators.all.map(({ pid }) => recordCpu(pid));
  await sleep(restS * 1_000);
  const share = Math.max(...cpus.map((cpu) => cpu()));
  const made = writes() - before;
  const leases = renewals() - renewed;
  report.check(
    `${restS} s at rest: writes beside the Lease`,
    `${made}, and ${leases} renewals`,
    "0",
    made === 0 && leases > 0,
  );
  report.check(`${restS} s at rest: processor, the busier one`, `${(share * 100).toFixed(2)} %`, "< 1 %", share < 0.01);
}

function isRenewal({ method, path }: { readonly method: string; readonly path: string }): boolean {
  return method === "PUT" && path.includes("/leases/");
}

/** Makes the API server silent for both operators, as a lost network does. */
export async function silence(cluster: Cluster, operators: LocalOperators, report: Report): Promise<void> {
  const { kubectl, apply, tag } = cluster;
  for (const { proxy } of operators.all) proxy.stall();
  await sleep(silentS * 1_000);
  await apply(backendService("after-silence", smallSpec(tag)));
  for (const { proxy } of operators.all) proxy.restore();
  const began = performance.now();
  const found = () => kubectl("get", "deployment", "after-silence", "--ignore-not-found", "--output", "name");
  await until(async () => (await found()) !== "", patienceMs, "the next change is seen");
  const took = performance.now() - began;
  report.check(
    `API server silent for ${silentS} s: next change seen after`,
    seconds(took),
    `<= ${resumedS} s`,
    took <= resumedS * 1_000,
  );
  await kubectl("delete", "backendservice", "after-silence");
}
