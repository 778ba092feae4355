/** The parts of the verb `operator` that stop, cut and watch operators as processes. */
import { sleep } from "@plumbline/concurrency";
import { type Report, seconds } from "../report.ts";
import type { LocalOperators } from "./local-operators.ts";
import { backendService, listOf, smallSpec, wrongResources } from "./resources.ts";
import { type Cluster, until } from "./until.ts";

const resources = 10;
const names = Array.from({ length: resources }, (_, index) => `kept-${index}`);
const restartedS = 15;
const expiredS = 25;
const restoredS = 5;
const pausedS = 20;
/** The longest time that is waited for what has a target. */
const patienceMs = 120_000;
/** The kills are spread over this time after a change: a reconcile of ten resources. */
const reconcileMs = 300;
const kinds = ["serviceaccount", "service", "poddisruptionbudget", "deployment", "horizontalpodautoscaler"] as const;

/** Applies ten resources with a maximum of pods. It changes their objects, and no pod. */
async function put({ apply, tag }: Cluster, max: number): Promise<void> {
  const spec = { ...smallSpec(tag), replicas: { min: 1, max } };
  await apply(listOf(names.map((name) => backendService(name, spec))));
}

interface Live {
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly uid: string;
    readonly generation?: number;
    readonly labels?: object;
    readonly ownerReferences?: readonly object[];
  };
  readonly spec?: Readonly<Record<string, unknown>>;
  readonly status?: {
    readonly observedGeneration?: number;
    readonly conditions?: readonly { readonly type: string; readonly status: string; readonly message: string }[];
  };
}

async function list({ kubectl }: Cluster, what: string, ...more: readonly string[]): Promise<readonly Live[]> {
  return (JSON.parse(await kubectl("get", what, ...more, "--output", "json")) as { items: readonly Live[] }).items;
}

/** Returns what the owned objects say, without the parts that belong to others. */
async function owned(cluster: Cluster): Promise<string> {
  const found = await list(cluster, kinds.join(","), "--selector", "app.kubernetes.io/managed-by=plumbline-operator");
  const parts = found.map(({ kind, metadata: { name, labels, ownerReferences }, spec = {} }) => {
    const { replicas: _, clusterIP: _c, clusterIPs: _s, ...kept } = spec;
    return JSON.stringify({ kind, name, labels, ownerReferences, spec: kept });
  });
  return parts.toSorted().join("\n");
}

/** Returns true if every resource is ready and was seen as it is now. */
async function areReady(cluster: Cluster): Promise<boolean> {
  const found = (await list(cluster, "backendservices")).filter(({ metadata }) => names.includes(metadata.name));
  return (
    found.length === resources &&
    found.every(
      ({ metadata, status }) =>
        status?.observedGeneration === metadata.generation &&
        status?.conditions?.some(({ type, status: is }) => type === "Ready" && is === "True") === true,
    )
  );
}

/** Brings up ten resources, and waits until they and a leader are there. */
export async function prepare(cluster: Cluster, operators: LocalOperators, report: Report): Promise<void> {
  const began = performance.now();
  await put(cluster, 10);
  await until(() => areReady(cluster), patienceMs * 3, "ten resources are ready");
  report.check("ten resources ready at first", seconds(performance.now() - began), "reported", true);
  await until(async () => (await operators.holder()) !== "", patienceMs, "an operator leads");
}

/**
 * Kills the leader at points that are spread over a reconcile of ten resources. After each second
 * one it stays away until another operator has done its work.
 */
export async function kills(cluster: Cluster, operators: LocalOperators, report: Report, times: number): Promise<void> {
  const expected = (max: number) => golden.replaceAll('"maxReplicas":10', `"maxReplicas":${max}`);
  const golden = await owned(cluster);
  const took = { restarted: [] as number[], expired: [] as number[] };
  let unequal = 0;
  let midway = 0;
  for (let time = 0; time < times; time++) {
    const [leader] = await operators.leader();
    const isReplaced = time % 2 === 1;
    const max = 11 + time;
    leader.isRestarted = !isReplaced;
    const ended = leader.codes.length;
    const before = leader.writes().length;
    const putting = put(cluster, max);
    // The operator begins with the first resource, while the others are still on their way.
    await until(async () => leader.writes().length > before, patienceMs, "the reconcile begins", 1);
    await sleep((reconcileMs * time) / times);
    leader.kill("SIGKILL");
    const began = performance.now();
    const written = leader.writes().length - before;
    if (written < resources * 2) midway += 1;
    await putting;
    await until(async () => leader.codes.length > ended, patienceMs, "the process is killed");
    await until(
      async () => (await areReady(cluster)) && (await owned(cluster)) === expected(max),
      patienceMs,
      "objects are as they must be",
    ).catch(() => {
      unequal += 1;
    });
    took[isReplaced ? "expired" : "restarted"].push(performance.now() - began);
    leader.isRestarted = true;
    // Until it runs again, a next kill would leave none.
    await until(async () => operators.all.every(({ pid }) => isRunning(pid)), patienceMs, "both operators run");
  }
  await put(cluster, 10);
  await until(() => areReady(cluster), patienceMs, "ten resources are ready");
  const slowest = (all: readonly number[]) => Math.max(0, ...all);
  const row = (what: string, all: readonly number[], targetS: number) =>
    report.check(
      `kill -9 ${all.length} times, ${what}: slowest`,
      seconds(slowest(all)),
      `<= ${targetS} s`,
      slowest(all) <= targetS * 1_000,
    );
  row("and started again", took.restarted, restartedS);
  if (took.expired.length > 0) row("and the Lease expires", took.expired, expiredS);
  // Each resource takes a write of its autoscaler and one of its status.
  report.check("kills in the middle of the writes", `${midway} of ${times}`, "some", midway > 0);
  report.check("objects after each kill", `${times - unequal} of ${times} times as before`, "all", unequal === 0);
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

/** Deletes and edits owned objects. */
export async function drift(cluster: Cluster, report: Report): Promise<void> {
  const { kubectl } = cluster;
  const [name = ""] = names;
  for (const kind of kinds) {
    const uid = () => kubectl("get", kind, name, "--ignore-not-found", "--output", "jsonpath={.metadata.uid}");
    const before = await uid();
    await kubectl("delete", kind, name, "--wait=false");
    const began = performance.now();
    await until(async () => ![before, ""].includes(await uid()), patienceMs, `the ${kind} is there again`);
    const took = performance.now() - began;
    report.check(`${kind} deleted: restored after`, seconds(took), `<= ${restoredS} s`, took <= restoredS * 1_000);
  }
  await kubectl("annotate", "deployment", name, "example.com/mine=yes");
  await kubectl("patch", "horizontalpodautoscaler", name, "--patch", '{"spec":{"maxReplicas":99}}');
  const began = performance.now();
  const max = () => kubectl("get", "horizontalpodautoscaler", name, "--output", "jsonpath={.spec.maxReplicas}");
  await until(async () => (await max()) === "10", patienceMs, "the edit is undone");
  const took = performance.now() - began;
  report.check("autoscaler edited: restored after", seconds(took), `<= ${restoredS} s`, took <= restoredS * 1_000);
  const mine = await kubectl(
    "get",
    "deployment",
    name,
    "--output",
    "jsonpath={.metadata.annotations.example\\.com/mine}",
  );
  report.check("a user's annotation", mine || "gone", "yes", mine === "yes");
  await until(() => areReady(cluster), patienceMs * 2, "ten resources are ready");
}

/** Stops the leader in the middle of work, and lets it go on when another leads. */
export async function pause(cluster: Cluster, operators: LocalOperators, report: Report): Promise<void> {
  const [paused, other] = await operators.leader();
  const ended = paused.codes.length;
  await put(cluster, 20);
  await sleep(200);
  const began = performance.now();
  paused.kill("SIGSTOP");
  await sleep(500);
  const written = paused.writes().length;
  await until(async () => (await operators.holder()) === other.identity, patienceMs, "the other operator leads");
  const took = performance.now() - began;
  report.check("leader paused: another leads after", seconds(took), `<= ${pausedS} s`, took <= pausedS * 1_000);
  await sleep(Math.max(0, pausedS * 1_000 - took));
  paused.isRestarted = false;
  paused.kill("SIGCONT");
  await until(async () => paused.codes.length > ended, patienceMs, "the old leader ends");
  const late = paused.writes().length - written;
  report.check(`leader paused for ${pausedS} s: its writes after`, `${late}`, "0", late === 0);
  const code = paused.codes.at(-1);
  report.check("leader paused: its exit code", `${code}`, "1", code === 1);
  paused.isRestarted = true;
  await put(cluster, 10);
  await until(() => areReady(cluster), patienceMs, "ten resources are ready");
}

/** Asks the leader to end. */
export async function handover(operators: LocalOperators, report: Report): Promise<void> {
  await until(async () => operators.all.every(({ pid }) => isRunning(pid)), patienceMs, "both operators run");
  // The other one must be past its start, and ask for the Lease.
  await sleep(5_000);
  const [leader, other] = await operators.leader();
  const ended = leader.codes.length;
  const began = performance.now();
  leader.kill("SIGTERM");
  await until(async () => (await operators.holder()) === other.identity, patienceMs, "the other operator leads");
  const took = performance.now() - began;
  report.check("leader ends by SIGTERM: another leads after", seconds(took), "<= 3 s", took <= 3_000);
  await until(async () => leader.codes.length > ended, patienceMs, "the leader ends");
  report.check("leader ends by SIGTERM: its exit code", `${leader.codes.at(-1)}`, "0", leader.codes.at(-1) === 0);
}

/** Applies wrong resources. Each must be refused with its field, or stalled with a message. */
export async function wrong(cluster: Cluster, operators: LocalOperators, report: Report): Promise<void> {
  const { apply, tag } = cluster;
  const all = wrongResources(tag);
  const ended = operators.all.flatMap(({ codes }) => codes).length;
  const accepted: string[] = [];
  const unclear: string[] = [];
  for (const resource of all) {
    const refusal = await apply(resource).then(
      () => undefined,
      (error: unknown) => String(error),
    );
    if (refusal === undefined) accepted.push(resource.metadata.name);
    else if (!/spec/.test(refusal)) unclear.push(`${resource.metadata.name}: ${refusal}`);
  }
  const stalled = async () =>
    (await list(cluster, "backendservices"))
      .filter(({ metadata }) => accepted.includes(metadata.name))
      .filter(({ status }) =>
        status?.conditions?.some(
          ({ type, status: is, message }) => type === "Stalled" && is === "True" && message !== "",
        ),
      ).length;
  await until(async () => (await stalled()) === accepted.length, patienceMs / 2, "wrong resources are stalled").catch(
    () => undefined,
  );
  const answered = all.length - accepted.length - unclear.length + (await stalled());
  report.check(
    `${all.length} wrong resources: refused with the field, or stalled`,
    `${answered} (${accepted.length} by status)${unclear.length === 0 ? "" : `; ${unclear[0]}`}`,
    `${all.length}`,
    answered === all.length,
  );
  const crashes = operators.all.flatMap(({ codes }) => codes).length - ended;
  report.check("wrong resources: operators that ended", `${crashes}`, "0", crashes === 0);
  if (accepted.length > 0) await cluster.kubectl("delete", "backendservices", ...accepted);
}
