import { randomBytes } from "node:crypto";
import { loadavg } from "node:os";
import { sleep } from "@plumbline/concurrency";
import { table } from "../compose/table.ts";
import type { ArrivalsReport } from "./arrivals.ts";
import type { Reach } from "./reach.ts";
import type { Timeline } from "./timeline.ts";

const goneS = 60;
const shownFailures = 3;

/** Kinds of objects that do not belong to a namespace, and would be left behind. */
const wide = "namespaces,persistentvolumes,clusterroles,clusterrolebindings,customresourcedefinitions,apiservices";

interface Row {
  readonly what: string;
  readonly seen: string;
  readonly target: string;
  readonly ok: boolean;
}

/** A table of the figures that a verb has seen, beside its targets. */
export class Report {
  readonly #rows: Row[] = [];

  check(what: string, seen: string, target: string, ok: boolean): void {
    this.#rows.push({ what, seen, target, ok });
  }

  /** Adds the rows of a load: no request fails, and every watcher sees its end. */
  load(what: string, { sent, failed, ms, watches }: ArrivalsReport): void {
    this.check(`${what}: requests failed`, `${failed} of ${sent} (p99 ${ms.p99} ms)`, "0", failed === 0 && sent > 0);
    if (watches.begun === 0) return;
    const seen = `${watches.ended} of ${watches.begun} (${watches.reconnected} continued, ${watches.broken} broken)`;
    this.check(`${what}: watchers saw the end`, seen, "all", watches.ended === watches.begun);
  }

  get ok(): boolean {
    return this.#rows.every(({ ok }) => ok);
  }

  /** Returns the table, and the load of the machine at its end. */
  toString(): string {
    const rows = this.#rows.map(({ what, seen, target, ok }) => [what, seen, target, ok ? "ok" : "MISSED"]);
    const load = loadavg().map((one) => one.toFixed(1));
    return `${table(["", "seen", "target", ""], rows)}\nload of the machine: ${load.join(" ")}`;
  }
}

/** Returns the kinds of failures of a load, and what the cluster did around the first of each. */
export function explain({ failures }: ArrivalsReport, timeline: Timeline): string {
  const kinds = Object.groupBy(failures, ({ problem }) => problem.replace(/[0-9a-f-]{8,}|\{.*|\?\S*/g, "…"));
  return Object.values(kinds)
    .slice(0, shownFailures)
    .map((found = []) => {
      const [first = { at: "", problem: "" }] = found;
      const times = found.map(({ at }) => at.slice(11)).join(" ");
      return `  ${found.length} times ${first.problem}\n    sent at ${times}\n${timeline.around(first.at)}`;
    })
    .join("\n");
}

/** Returns the name of a new namespace for a verb. */
export function namespaceFor(verb: string): string {
  return `plumbline-${verb}-${randomBytes(3).toString("hex")}`;
}

/** A run, by what belongs to it alone: another run on the same cluster has its own. */
export interface Belongings {
  readonly namespaces: readonly string[];
  /** Names of objects of no namespace that no chart has installed. */
  readonly objects?: readonly string[];
}

/** Adds rows: a run has left nothing behind, a while after its last namespace began to go. */
export async function checkLeftovers(reach: Reach, run: Belongings, report: Report, removedAt: number): Promise<void> {
  const remaining = async () => leftBy(run, await reach.kubectl(["get", wide, "--output", `jsonpath=${belongingOf}`]));
  // Volumes go a little after the namespace.
  let left = await remaining();
  while (left.length > 0 && performance.now() - removedAt < goneS * 1_000) {
    await sleep(500);
    left = await remaining();
  }
  const took = performance.now() - removedAt;
  report.check("namespace gone", seconds(took), `<= ${goneS} s`, took <= goneS * 1_000);
  report.check("objects left", left.length === 0 ? "0" : left.join(", "), "0", left.length === 0);
}

/** The kind and name of an object, the namespace of its release, and that of a volume's claim. */
const belongingOf = [
  "{range .items[*]}{.kind}",
  "{.metadata.name}",
  "{.metadata.annotations.meta\\.helm\\.sh/release-namespace}",
  '{.spec.claimRef.namespace}{"\\n"}{end}',
].join("|");

/** Returns the objects of a run, as `kind/name`, among lines in the form of `belongingOf`. */
export function leftBy({ namespaces, objects = [] }: Belongings, lines: string): readonly string[] {
  return lines.split("\n").flatMap((line) => {
    const [kind = "", name = "", release = "", claim = ""] = line.split("|");
    const isOwn =
      (kind === "Namespace" && namespaces.includes(name)) ||
      namespaces.includes(release) ||
      namespaces.includes(claim) ||
      objects.includes(name);
    return isOwn ? [`${kind.toLowerCase()}/${name}`] : [];
  });
}

export function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`;
}
