import { table } from "../compose/table.ts";
import { type ClusterStack, openCluster } from "./open-cluster.ts";
import { type Reach, shown } from "./reach.ts";
import { namespaceFor, Report, seconds, watchLeftovers } from "./report.ts";

/** The longest time of a first install. */
const installS = 180;

/**
 * Installs the stack in a namespace of its own, runs the journeys and 200 orders against it and
 * removes it. Prints a table, and returns 1 if a row of it misses its target.
 */
export async function endToEnd(
  { reach, tag }: { readonly reach: Reach; readonly tag: string },
  print: (text: string) => void,
): Promise<number> {
  const namespace = namespaceFor("e2e");
  const report = new Report();
  const leftovers = await watchLeftovers(reach);
  let removedAt = 0;
  {
    await using stack = await openCluster({ reach, namespace, tag });
    for (const warning of stack.warnings) print(warning);
    report.check("warnings of a dry run", `${stack.warnings.length}`, "0", stack.warnings.length === 0);
    report.check("first install", seconds(stack.installMs), `<= ${installS} s`, stack.installMs <= installS * 1_000);
    const base = await gatewayOf(stack);
    const journeys = await node("tests/e2e/test/against-url.ts", ["--test"], { E2E_URL: base });
    report.check("journeys", exit(journeys), "exit code 0", journeys === 0);
    const demo = await node("tests/load/src/demo/main.ts", [], {}, ["--url", base]);
    report.check("200 orders, each once", exit(demo), "exit code 0", demo === 0);
    print(await memory(stack));
    removedAt = performance.now();
  }
  await leftovers(report, removedAt);
  print(`${report}`);
  return report.ok ? 0 : 1;
}

async function gatewayOf(stack: ClusterStack): Promise<string> {
  const [first] = await stack.gateways();
  if (first === undefined) throw new Error("no gateway is ready");
  return first;
}

function node(
  file: string,
  options: readonly string[],
  variables: Readonly<Record<string, string>>,
  args: readonly string[] = [],
): Promise<number> {
  return shown([process.execPath, "-C", "source", ...options, file, ...args], variables);
}

/** Returns the memory that each container uses, beside its limit. */
async function memory(stack: ClusterStack): Promise<string> {
  const limits = new Map<string, string>();
  const path = '{range .items[*]}{.metadata.name} {.spec.containers[0].resources.limits.memory}{"\\n"}{end}';
  for (const line of (await stack.kubectl("get", "pods", "--output", `jsonpath=${path}`)).split("\n")) {
    const [name = "", limit = ""] = line.split(" ");
    limits.set(name, limit);
  }
  try {
    const used = (await stack.kubectl("top", "pods", "--no-headers")).trim().split("\n");
    const rows = used.map((line) => {
      const [name = "", cpu = "", bytes = ""] = line.split(/\s+/);
      return [name, cpu, bytes, limits.get(name) ?? ""];
    });
    return `\n${table(["pod", "cpu", "memory", "limit"], rows)}\n`;
  } catch {
    return "NOT MEASURED: memory, because the cluster has no metrics API";
  }
}

function exit(code: number): string {
  return code === 0 ? "passed" : `exit code ${code}`;
}
