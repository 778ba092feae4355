import { join } from "node:path";
import { UsageError } from "../../command/index.ts";
import { charts } from "../charts.ts";
import type { Print } from "../in-namespace.ts";
import { reachIssuer } from "../issuer.ts";
import { namespaceObject, removeNamespace } from "../open-cluster.ts";
import type { Reach } from "../reach.ts";
import { checkLeftovers, namespaceFor, Report } from "../report.ts";
import { drift, handover, kills, pause, prepare, wrong } from "./keeps.ts";
import { startLocalOperators } from "./local-operators.ts";
import { remove, upgradeDefinition } from "./removal.ts";
import { definition } from "./resources.ts";
import { rest, silence } from "./rest.ts";
import { rotateDatabase, rotateTls } from "./rotations.ts";
import { installOperator, journeys, openSystem } from "./system.ts";
import { traces } from "./traces.ts";
import type { Cluster } from "./until.ts";

/** The parts with operators as processes, in the order in which they run. */
const processParts = ["kills", "drift", "wrong", "leader", "rest", "silence"] as const;
/** The parts with the services as resources. */
const systemParts = ["journeys", "traces", "database"] as const;

/** The parts, in the order in which they run. */
export const operatorParts = [...processParts, ...systemParts, "tls", "definition", "remove"] as const;
type Part = (typeof operatorParts)[number];

export interface OperatorOptions {
  readonly reach: Reach;
  readonly tag: string;
  readonly parts: readonly Part[];
  /** The number of kills. */
  readonly kills: number;
  /** The seconds of rest. */
  readonly rest: number;
}

/**
 * Runs the operator on the cluster: as processes that are killed, stopped and cut off, and by its
 * chart, with the services as resources. Prints a table, and returns 1 if a row misses its target.
 */
export async function operator(options: OperatorOptions, print: Print): Promise<number> {
  const { reach, tag, parts } = options;
  if (!reach.isDirect) throw new UsageError("operator needs a test cluster, whose network this process shares");
  const report = new Report();
  const one = ["customresourcedefinition", definition];
  const had = await reach.kubectl(["get", ...one, "--ignore-not-found", "--output", "name"]);
  const file = join(charts, "plumbline-operator/files/backendservices.yaml");
  await reach.kubectl(["apply", "--server-side", "--force-conflicts", "--filename", file]);

  const namespaces: string[] = [];
  let removedAt = performance.now();
  /** Works in a namespace of its own. A part that fails midway has seen what its rows say. */
  const attempt = async (wanted: readonly Part[], work: (cluster: Cluster) => Promise<void>) => {
    if (!wanted.some((part) => parts.includes(part))) return;
    const namespace = namespaceFor("operator");
    namespaces.push(namespace);
    await reach.kubectl(["create", "--filename", "-"], JSON.stringify(namespaceObject(namespace)));
    const cluster = openedIn(reach, namespace, tag);
    await work(cluster).catch(async (error: unknown) => {
      const { message, stack } = error instanceof Error ? error : new Error(String(error));
      report.check("the parts ran to their end", message.split("\n")[0] ?? "", "yes", false);
      print(stack ?? message);
      print(await cluster.kubectl("get", "backendservices,pods").catch(String));
    });
    removedAt = performance.now();
    await removeNamespace(reach, namespace);
  };
  await attempt(processParts, (cluster) => keeps(cluster, options, report));
  await attempt(systemParts, async (cluster) => {
    await installOperator(reach, cluster);
    await openSystem(reach, cluster, report);
    using _issuer = await reachIssuer(cluster.kubectl);
    if (parts.includes("journeys")) await journeys(cluster, report);
    if (parts.includes("traces")) await traces(cluster, report);
    if (parts.includes("database")) await rotateDatabase(reach, cluster, report, print);
  });
  await attempt(["tls"], async (cluster) => {
    await installOperator(reach, cluster);
    await rotateTls(cluster, report, print);
  });
  await attempt(["definition"], async (cluster) => {
    try {
      await upgradeDefinition(reach, cluster, report);
    } finally {
      await reach.kubectl(["replace", "--filename", file]);
    }
  });
  for (const order of ["operator first", "operator with it"] as const) {
    await attempt(["remove"], (cluster) => remove(reach, cluster, order, report));
  }
  if (had === "") await reach.kubectl(["delete", ...one]);
  await checkLeftovers(reach, { namespaces, objects: had === "" ? [definition] : [] }, report, removedAt);
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
  if (has("rest")) await rest(operators, report, options.rest);
  if (has("silence")) await silence(cluster, operators, report);
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
