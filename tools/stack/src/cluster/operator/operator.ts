import { join } from "node:path";
import { UsageError } from "../../command/index.ts";
import { charts } from "../charts.ts";
import type { Print } from "../in-namespace.ts";
import { namespaceObject, removeNamespace } from "../open-cluster.ts";
import type { Reach } from "../reach.ts";
import { namespaceFor, Report, watchLeftovers } from "../report.ts";
import { drift, handover, kills, pause, prepare, wrong } from "./keeps.ts";
import { startLocalOperators } from "./local-operators.ts";
import { definition } from "./resources.ts";
import type { Cluster } from "./until.ts";

/** The parts, in the order in which they run. */
export const operatorParts = ["kills", "drift", "wrong", "leader"] as const;
type Part = (typeof operatorParts)[number];

export interface OperatorOptions {
  readonly reach: Reach;
  readonly tag: string;
  readonly parts: readonly Part[];
  /** The number of kills. */
  readonly kills: number;
}

/**
 * Runs operators as processes that are killed and stopped, on the cluster. Prints a table, and
 * returns 1 if a row misses its target.
 */
export async function operator(options: OperatorOptions, print: Print): Promise<number> {
  const { reach, tag } = options;
  if (!reach.isDirect) throw new UsageError("operator needs a test cluster, whose network this process shares");
  const report = new Report();
  const leftovers = await watchLeftovers(reach);
  const had = await reach.kubectl([
    "get",
    "customresourcedefinition",
    definition,
    "--ignore-not-found",
    "--output",
    "name",
  ]);
  const file = join(charts, "plumbline-operator/files/backendservices.yaml");
  await reach.kubectl(["apply", "--server-side", "--force-conflicts", "--filename", file]);
  const namespace = namespaceFor("operator");
  await reach.kubectl(["create", "--filename", "-"], JSON.stringify(namespaceObject(namespace)));
  const cluster = openedIn(reach, namespace, tag);
  // A part that fails midway has seen what its rows say.
  await keeps(cluster, options, report).catch(async (error: unknown) => {
    const { message, stack } = error instanceof Error ? error : new Error(String(error));
    report.check("the parts ran to their end", message.split("\n")[0] ?? "", "yes", false);
    print(stack ?? message);
    print(await cluster.kubectl("get", "backendservices,pods").catch(String));
  });
  const removedAt = performance.now();
  await removeNamespace(reach, namespace);
  if (had === "") await reach.kubectl(["delete", "customresourcedefinition", definition]);
  await leftovers(report, removedAt);
  print(`${report}`);
  return report.ok ? 0 : 1;
}

async function keeps(cluster: Cluster, options: OperatorOptions, report: Report): Promise<void> {
  const has = (part: Part) => options.parts.includes(part);
  await using operators = await startLocalOperators(options.reach, cluster.namespace, ["first", "second"]);
  await prepare(cluster, operators, report);
  if (has("kills")) await kills(cluster, operators, report, options.kills);
  if (has("drift")) await drift(cluster, report);
  if (has("wrong")) await wrong(cluster, operators, report);
  if (has("leader")) {
    await pause(cluster, operators, report);
    await handover(operators, report);
  }
}

function openedIn(reach: Reach, namespace: string, tag: string): Cluster {
  return {
    namespace,
    tag,
    kubectl: (...args) => reach.kubectl(["--namespace", namespace, ...args]),
    apply: async (object) => {
      const manager = ["--server-side", "--field-manager=verb", "--force-conflicts"];
      await reach.kubectl(["--namespace", namespace, "apply", ...manager, "--filename", "-"], JSON.stringify(object));
    },
  };
}
