/** The flows between pods that the cluster lets through, beside those of the architecture. */
import { type ServiceRow, serviceRow } from "../services.ts";
import type { Print } from "./in-namespace.ts";
import type { ClusterStack } from "./open-cluster.ts";
import type { Report } from "./report.ts";

const connectMs = 3_000;
/** A pod that no policy selects, and so a stranger to the services and the issuer. */
const stranger = "supplier";
const engines = { postgres: 5_432, kafka: 9_092, redis: 6_379 };
const services = ["gateway", "greeter", "orders", "worker"] as const;

/** The arrows of the architecture. A stranger may call no service but the gateway. */
const arrows: Readonly<Record<string, readonly string[]>> = {
  gateway: ["greeter", "orders", "worker", "redis", "issuer"],
  greeter: [],
  orders: ["postgres", "kafka"],
  worker: ["postgres", "kafka", stranger],
  [stranger]: ["gateway", ...Object.keys(engines)],
};

/**
 * Connects from a pod of each service, and from a stranger, to each other and to the engines. Adds
 * a row: exactly the arrows of the architecture pass.
 */
export async function checkPolicies(stack: ClusterStack, report: Report, print: Print): Promise<void> {
  const targets = [
    ...[...services, stranger, "issuer"].map((name) => [name, (serviceRow(name) as ServiceRow).port] as const),
    ...Object.entries(engines),
  ];
  const addresses = await Promise.all(
    targets.map(async ([name, port]) => ({ name, host: await stack.address(name), port })),
  );
  const seen = await Promise.all(
    Object.keys(arrows).map(async (from) => {
      const [pod = ""] = await stack.readyPods(from);
      const others = addresses.filter(({ name }) => name !== from);
      const script = `(${connectAll.toString()})(${JSON.stringify(others)}, ${connectMs})`;
      const found = await stack.kubectl("exec", pod, "--", "/nodejs/bin/node", "--eval", script);
      return [from, JSON.parse(found) as Readonly<Record<string, boolean>>] as const;
    }),
  );
  const flows = seen.flatMap(([from, reached]) =>
    Object.entries(reached).map(([to, passes]) => ({ from, to, passes, may: arrows[from]?.includes(to) === true })),
  );
  if (flows.every(({ passes }) => passes)) {
    print("NOT ENFORCED: the cluster lets every flow through, so its network policies were not tested");
    return;
  }
  const wrong = flows.filter(({ passes, may }) => passes !== may);
  for (const { from, to, passes } of wrong) print(`${from} > ${to}: ${passes ? "passes" : "is refused"}`);
  const allowed = flows.filter(({ may }) => may).length;
  const shown = `${flows.length - wrong.length} of ${flows.length} flows as they should be, ${allowed} of them open`;
  report.check("network policies, enforced", shown, "all", wrong.length === 0);
}

interface Target {
  readonly name: string;
  readonly host: string;
  readonly port: number;
}

/** Runs in a pod, so it uses nothing from here. Prints which targets let a connection be made. */
async function connectAll(targets: readonly Target[], limitMs: number): Promise<void> {
  const { connect } = await import("node:net");
  const tries = targets.map(({ name, host, port }) => {
    const { promise, resolve } = Promise.withResolvers<readonly [string, boolean]>();
    const socket = connect({ host, port, timeout: limitMs });
    const end = (reached: boolean) => {
      socket.destroy();
      resolve([name, reached]);
    };
    socket
      .on("connect", () => end(true))
      .on("timeout", () => end(false))
      .on("error", () => end(false));
    return promise;
  });
  console.log(JSON.stringify(Object.fromEntries(await Promise.all(tries))));
}
