import { freeStackPorts, type Program } from "@plumbline/tools-stack";
import { type Running, type RunOptions, runStack } from "./stack.ts";

export interface Replicas extends Running {
  /** Where the gateways listen. */
  readonly bases: readonly string[];
}

/**
 * The whole system with two gateways and two orders: "gateway", "gateway-2", "orders", "orders-2". Each gateway calls both
 * orders in turns, at addresses given by number, as there is no name server here.
 */
export async function runReplicas(options: Pick<RunOptions, "environment" | "transport">): Promise<Replicas> {
  const second = await freeStackPorts();
  const running = await runStack({
    ...options,
    change: (table) => {
      const twice = table.flatMap((program) => [program, ...twin(program, second)]);
      const orders = twice.flatMap(({ environment: { ORDERS_RPC_PORT: port } }) => (port === undefined ? [] : [port]));
      const target = `ipv4:${orders.map((port) => `127.0.0.1:${port}`).join(",")}`;
      return twice.map((program) =>
        program.name.startsWith("gateway")
          ? { ...program, environment: { ...program.environment, GATEWAY_UPSTREAMS_ORDERS: target } }
          : program,
      );
    },
  });
  return {
    ...running,
    bases: [running.base, `http://127.0.0.1:${second.gateway}`],
    [Symbol.asyncDispose]: () => running[Symbol.asyncDispose](),
  };
}

function twin(program: Program, ports: Awaited<ReturnType<typeof freeStackPorts>>): Program[] {
  const changed: Record<string, Record<string, number>> = {
    orders: { ORDERS_RPC_PORT: ports.orders, ORDERS_OPS_PORT: ports.ordersOps },
    gateway: { GATEWAY_HTTP_PORT: ports.gateway, GATEWAY_OPS_PORT: ports.gatewayOps },
  };
  const settings = changed[program.name];
  if (settings === undefined) return [];
  const environment = Object.fromEntries(Object.entries(settings).map(([key, port]) => [key, String(port)]));
  const opsPort = environment["ORDERS_OPS_PORT"] ?? environment["GATEWAY_OPS_PORT"];
  return [
    {
      ...program,
      name: `${program.name}-2`,
      environment: { ...program.environment, ...environment },
      ready: `http://127.0.0.1:${opsPort}/readyz`,
    },
  ];
}
