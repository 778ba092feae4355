import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { type Behaviour, serveServices } from "./grpc-services.ts";

export const gatewayMain = join(import.meta.dirname, "../../src/main.ts");

/** Starts the gateway as a process of its own, in front of real gRPC services of this process. */
export async function startGateway(behaviour: Behaviour, settings: Record<string, string> = {}) {
  await using opened = new AsyncDisposableStack();
  const services = opened.use(await serveServices(behaviour)); // Closed if the gateway does not start; an open server would keep the test alive.
  const target = `dns:///127.0.0.1:${services.port}`;
  const child = spawn(process.execPath, ["-C", "source", gatewayMain], {
    stdio: ["ignore", "pipe", "inherit"],
    env: {
      ...process.env,
      GATEWAY_HTTP_HOST: "127.0.0.1",
      GATEWAY_HTTP_PORT: "0",
      GATEWAY_OPS_PORT: "0",
      GATEWAY_UPSTREAMS_GREETER: target,
      GATEWAY_UPSTREAMS_ORDERS: target,
      GATEWAY_UPSTREAMS_FULFILMENT: target,
      GATEWAY_RATE_LIMIT_PER_CLIENT_PER_SECOND: "0",
      GATEWAY_RATE_LIMIT_GLOBAL_PER_SECOND: "0",
      ...settings,
    },
  });
  const exit = once(child, "exit") as Promise<[number | null, string | null]>;
  const lines = createInterface({ input: child.stdout });
  const port = await new Promise<number>((resolve, reject) => {
    lines.on("line", (line) => {
      const { message, port } = JSON.parse(line) as { message: string; port?: number };
      if (message === "gateway is listening") resolve(Number(port));
    });
    void exit.then(([code]) => reject(new Error(`the gateway ended with ${code}`)));
  });
  const owned = opened.move();
  return {
    port,
    url: `http://127.0.0.1:${port}`,
    stop: () => child.kill("SIGTERM"),
    exit,
    async [Symbol.asyncDispose]() {
      if (child.exitCode === null && child.signalCode === null) child.kill("SIGKILL");
      await exit;
      await owned.disposeAsync();
    },
  };
}
