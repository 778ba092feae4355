import { type ClusterOptions, type ClusterStack, openCluster } from "./open-cluster.ts";
import { checkLeftovers, namespaceFor, Report } from "./report.ts";

export type Print = (text: string) => void;

/**
 * Runs the stack in a namespace of its own while `work` adds rows to a table, removes the namespace
 * and prints the table. Returns 1 if a row misses its target.
 */
export async function inNamespace(
  verb: string,
  options: Omit<ClusterOptions, "namespace">,
  print: Print,
  work: (stack: ClusterStack, report: Report) => Promise<void>,
): Promise<number> {
  const report = new Report();
  const namespace = namespaceFor(verb);
  let removedAt = 0;
  {
    await using stack = await openCluster({ ...options, namespace });
    // A verb that fails midway has seen what its rows say.
    await work(stack, report).catch((error: unknown) => {
      report.check(
        `${verb} ran to its end`,
        error instanceof Error ? (error.message.split("\n")[0] ?? "") : String(error),
        "yes",
        false,
      );
      print(error instanceof Error ? (error.stack ?? error.message) : String(error));
    });
    removedAt = performance.now();
  }
  await checkLeftovers(options.reach, { namespaces: [namespace] }, report, removedAt);
  print(`${report}`);
  return report.ok ? 0 : 1;
}
