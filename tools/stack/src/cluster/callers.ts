/** The callers that a service takes, by their certificates. */
import type { ConnectionOptions } from "node:tls";
import { type ServiceRow, serviceRow } from "../services.ts";
import { callEmpty } from "./call-empty.ts";
import { release } from "./charts.ts";
import type { ClusterStack } from "./open-cluster.ts";
import type { Report } from "./report.ts";

const service = "orders";
const cancel = "/orders.v1.OrdersService/CancelOrder";
const health = "/grpc.health.v1.Health/Check";

/** The statuses of gRPC that the rows expect. */
const names: Readonly<Record<string, string>> = { 0: "OK", 7: "PERMISSION_DENIED", 16: "UNAUTHENTICATED" };

/**
 * Calls a pod of orders with the certificates of others, from outside of the network policies. Adds
 * a row for each: only the gateway's is let through, and then there is no principal.
 */
export async function checkCallers(stack: ClusterStack, report: Report): Promise<void> {
  const host = await stack.address(service);
  const { port } = serviceRow(service) as ServiceRow;
  const servername = `${release}-${service}.${stack.namespace}.svc.cluster.local`;
  const [gateway, worker] = await Promise.all(["gateway", "worker"].map((name) => pairOf(stack, name)));
  const { ca } = gateway ?? {};
  for (const [what, path, pair, target] of [
    ["the gateway's certificate, no principal", cancel, gateway, "UNAUTHENTICATED"],
    ["the worker's certificate", cancel, worker, "PERMISSION_DENIED"],
    ["the worker's certificate, health", health, worker, "OK"],
    ["no certificate", health, { ca }, "no answer"],
  ] as const) {
    const seen = await callEmpty(path, { ...pair, host, port, servername }).then(
      ({ status }) => names[status] ?? status,
      () => "no answer",
    );
    report.check(`call of ${service}: ${what}`, seen, target, seen === target);
  }
}

async function pairOf(stack: ClusterStack, name: string): Promise<ConnectionOptions> {
  const found = await stack.kubectl("get", "secret", `${release}-${name}-tls`, "--output", "json");
  const { data } = JSON.parse(found) as { readonly data: Readonly<Record<string, string>> };
  const pem = (key: string) => Buffer.from(data[key] ?? "", "base64");
  return { cert: pem("tls.crt"), key: pem("tls.key"), ca: pem("ca.crt") };
}
