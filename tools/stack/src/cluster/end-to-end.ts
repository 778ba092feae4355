import { serviceUrl } from "./arrivals.ts";
import { checkCallers } from "./callers.ts";
import { checkDemo, startDemo } from "./demo.ts";
import { inNamespace, type Print } from "./in-namespace.ts";
import { recordMemory } from "./memory.ts";
import { checkPolicies } from "./policies.ts";
import { type Reach, shown } from "./reach.ts";
import { seconds } from "./report.ts";
import { checkTls, tlsValues } from "./tls.ts";

/** The longest time of a first install. */
const installS = 180;
const orders = 200;

/**
 * Installs the stack in a namespace of its own, asks it through an Ingress with TLS, runs the
 * journeys and 200 orders against it and removes it. Prints a table, and returns 1 if a row of it
 * misses its target.
 */
export async function endToEnd(
  { reach, tag, envoy }: { readonly reach: Reach; readonly tag: string; readonly envoy: boolean },
  print: Print,
): Promise<number> {
  const options = { reach, tag, envoy, platform: { ingress: true }, values: tlsValues };
  return await inNamespace("e2e", options, print, async (stack, report) => {
    for (const warning of stack.warnings) print(warning);
    report.check("warnings of a dry run", `${stack.warnings.length}`, "0", stack.warnings.length === 0);
    report.check("first install", seconds(stack.installMs), `<= ${installS} s`, stack.installMs <= installS * 1_000);
    await checkTls(stack, report);
    await checkPolicies(stack, report, print);
    await checkCallers(stack, report);
    const base = await serviceUrl(stack, envoy);
    await using memory = await recordMemory(stack);
    const journeys = [process.execPath, "-C", "source", "--test", "tests/e2e/test/against-url.ts"];
    const code = await shown(journeys, { E2E_URL: base });
    report.check("journeys", code === 0 ? "passed" : `exit code ${code}`, "exit code 0", code === 0);
    checkDemo(report, "demo", orders, await startDemo(base, orders, print).ended);
    print(await memory.end(report));
  });
}
