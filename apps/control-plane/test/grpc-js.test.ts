/** grpc-js with its xDS plugin as the client, without a proxy. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { GreeterService } from "@plumbline/contracts";
import { serve, service } from "@plumbline/rpc";
import { noTelemetry } from "@plumbline/telemetry";
import { eventually } from "@plumbline/tools-engines";
import { startControlPlane } from "./support.ts";

/** Starts a greeter that answers with its own name. */
async function startGreeter(message: string) {
  const services = [service(GreeterService, { sayHello: async () => ({ message }) })];
  const server = await serve({ services, telemetry: noTelemetry }, { host: "127.0.0.1", port: 0, graceMs: 500 });
  return { endpoint: `127.0.0.1:${server.port}`, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
}

/** Starts the client. Its answers are added to `answers`. */
function startClient(controlPlanePort: number): AsyncDisposable & { readonly answers: string[] } {
  const bootstrap = {
    xds_servers: [
      {
        server_uri: `127.0.0.1:${controlPlanePort}`,
        channel_creds: [{ type: "insecure" }],
        server_features: ["xds_v3"],
      },
    ],
    // The plugin refuses a node without a locality.
    node: { id: "grpc-js", locality: {} },
  };
  const child = spawn(process.execPath, ["-C", "source", join(import.meta.dirname, "grpc-js-client.ts")], {
    env: { PATH: process.env["PATH"], GRPC_XDS_BOOTSTRAP_CONFIG: JSON.stringify(bootstrap) },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const exited = once(child, "exit");
  const answers: string[] = [];
  createInterface({ input: child.stdout }).on("line", (line) => answers.push(line));
  return {
    answers,
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await exited;
    },
  };
}

test("grpc-js follows changes of endpoints and of weights, and no call fails", { timeout: 180_000 }, async () => {
  await using a = await startGreeter("a");
  await using b = await startGreeter("b");
  await using controlPlane = await startControlPlane();
  const put = (endpoint: string, weights: Record<string, number>) =>
    controlPlane.put({
      listeners: { greeter: { routes: "greeter" } },
      clusters: {
        stable: { endpoints: [endpoint], protocol: "http2" },
        canary: { endpoints: [b.endpoint], protocol: "http2" },
      },
      routes: { greeter: [{ rules: [{ to: weights }] }] },
    });
  put(a.endpoint, { stable: 100, canary: 0 });
  await using client = startClient(controlPlane.port);
  /** Waits until the last answers are as expected. */
  const answered = (count: number, isExpected: (last: readonly string[]) => boolean) =>
    eventually(
      () => client.answers.slice(-count),
      (last) => last.length === count && isExpected(last),
      30_000,
    );
  const share = (last: readonly string[]) => last.filter((answer) => answer === "b").length / last.length;
  await answered(50, (last) => last.every((answer) => answer === "a"));

  // A change of the weights.
  put(a.endpoint, { stable: 70, canary: 30 });
  await answered(500, (last) => Math.abs(share(last) - 0.3) < 0.07);
  put(a.endpoint, { stable: 100, canary: 0 });
  await answered(50, (last) => last.every((answer) => answer === "a"));

  // A change of the endpoints.
  put(b.endpoint, { stable: 100, canary: 0 });
  await answered(50, (last) => last.every((answer) => answer === "b"));
  put(a.endpoint, { stable: 100, canary: 0 });
  await answered(50, (last) => last.every((answer) => answer === "a"));

  assert.deepEqual(new Set(client.answers), new Set(["a", "b"]));
  assert.deepEqual(controlPlane.publisher.ledger.rejected(), []);
});
