import { OrdersService } from "@plumbline/contracts";
import { connect, createClient } from "@plumbline/rpc";
import { noTelemetry } from "@plumbline/telemetry";
import { runService, type ServiceProcess, startService } from "@plumbline/tools-engines";
import type { OrdersClient } from "./service.ts";

const ports = {
  ORDERS_RPC_HOST: "127.0.0.1",
  ORDERS_RPC_PORT: "0",
  ORDERS_OPS_HOST: "127.0.0.1",
  ORDERS_OPS_PORT: "0",
};

export interface OrdersProcess extends AsyncDisposable {
  readonly client: OrdersClient;
  readonly opsPort: number;
  readonly process: ServiceProcess;
}

/** Runs the program to its end. */
export function runOrders(environment: Readonly<Record<string, string>>, args: readonly string[] = []) {
  return runService("orders", { ...ports, ...environment }, args);
}

/** Starts the service as it is deployed, on free ports. Resolves once it listens. */
export async function startOrders(environment: Readonly<Record<string, string>>): Promise<OrdersProcess> {
  await using opened = new AsyncDisposableStack();
  const { process, port, opsPort } = opened.use(await startService("orders", { ...ports, ...environment }));
  const channel = opened.use(await connect(`127.0.0.1:${port}`, noTelemetry, { timeoutMs: 10_000 }));
  const owned = opened.move();
  return {
    client: createClient(OrdersService, channel),
    opsPort,
    process,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
