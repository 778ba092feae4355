import { type ServiceProcess, startService } from "@plumbline/tools-engines";
import { type Behaviour, serveServices } from "./grpc-services.ts";

export interface GatewayProcess extends AsyncDisposable {
  readonly process: ServiceProcess;
  readonly port: number;
  readonly url: string;
}

/** Starts the gateway as a process of its own, in front of real gRPC services of this process. */
export async function startGateway(
  behaviour: Behaviour,
  settings: Readonly<Record<string, string>> = {},
): Promise<GatewayProcess> {
  await using opened = new AsyncDisposableStack();
  // Closed if the gateway does not start: an open server would keep the test alive.
  const services = opened.use(await serveServices(behaviour));
  const target = `dns:///127.0.0.1:${services.port}`;
  const { process, port } = opened.use(
    await startService("gateway", {
      GATEWAY_HTTP_HOST: "127.0.0.1",
      GATEWAY_HTTP_PORT: "0",
      GATEWAY_OPS_PORT: "0",
      GATEWAY_UPSTREAMS_GREETER: target,
      GATEWAY_UPSTREAMS_ORDERS: target,
      GATEWAY_UPSTREAMS_FULFILMENT: target,
      GATEWAY_RATE_LIMIT_PER_CLIENT_PER_SECOND: "0",
      GATEWAY_RATE_LIMIT_GLOBAL_PER_SECOND: "0",
      ...(settings["GATEWAY_AUTH_ISSUER"] === undefined && { GATEWAY_AUTH_OFF: "true" }),
      ...settings,
    }),
  );
  const owned = opened.move();
  return { process, port, url: `http://127.0.0.1:${port}`, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}
