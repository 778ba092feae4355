/** Envoy in front of gateway, as the compose profile `envoy` has it. */
import assert from "node:assert/strict";
import { request } from "node:http";
import { test } from "node:test";
import { eventually, freePort, startService, startTestEnvoy, whyNoEnvoy } from "@plumbline/tools-engines";
import { startControlPlane } from "./support.ts";

const skip = whyNoEnvoy() ?? false;

/** Requests a greeting from one address of this machine, with the X-Forwarded-For of a forger. */
function greet(port: number, from: string, forged?: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const headers = forged === undefined ? {} : { "x-forwarded-for": forged };
    const sent = request(
      { host: "127.0.0.1", port, path: "/v1/greetings/Ada", localAddress: from, headers, agent: false },
      (response) => {
        response.resume();
        response.on("end", () => resolve(response.statusCode ?? 0));
      },
    );
    sent.on("error", reject).end();
  });
}

test("the limits of gateway hold for each client behind Envoy, whatever it says about itself", {
  skip,
  timeout: 120_000,
}, async () => {
  const free = { GREETER_RPC_PORT: "0", GREETER_OPS_PORT: "0", GREETER_RPC_HOST: "127.0.0.1" };
  await using greeter = await startService("greeter", free);
  await using gateway = await startService("gateway", {
    GATEWAY_HTTP_HOST: "127.0.0.1",
    GATEWAY_HTTP_PORT: "0",
    GATEWAY_AUTH_OFF: "true",
    GATEWAY_OPS_PORT: "0",
    GATEWAY_HTTP_TRUST_PROXY: "1",
    GATEWAY_UPSTREAMS_GREETER: `dns:///127.0.0.1:${greeter.port}`,
    GATEWAY_RATE_LIMIT_PER_CLIENT_PER_SECOND: "0.001",
    GATEWAY_RATE_LIMIT_PER_CLIENT_BURST: "5",
  });
  await using controlPlane = await startControlPlane();
  const port = await freePort();
  controlPlane.put({
    listeners: { public: { host: "127.0.0.1", port, routes: "public" } },
    clusters: { gateway: { endpoints: [`127.0.0.1:${gateway.port}`] } },
    routes: { public: [{ rules: [{ to: "gateway" }] }] },
  });
  await using _envoy = await startTestEnvoy({ controlPlanePort: controlPlane.port, variant: "delta" });
  const answer = (from: string, forged?: string) => greet(port, from, forged).catch(() => 0);
  await eventually(
    () => answer("127.0.0.9"),
    (status) => status === 200,
  );

  const forger: number[] = [];
  for (let i = 0; i < 8; i += 1) forger.push(await answer("127.0.0.2", `203.0.113.${i}, 198.51.100.${i}`));
  assert.deepEqual(forger, [200, 200, 200, 200, 200, 429, 429, 429]);
  // A client with an address that the forger named, and another one, have all of their own.
  assert.equal(await answer("127.0.0.3"), 200);
  assert.equal(await answer("127.0.0.2"), 429);
});
