/** The status of clients, asked over gRPC while a real Envoy is connected. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { connect, createClient, serve } from "@plumbline/rpc";
import { noTelemetry } from "@plumbline/telemetry";
import { eventually, freePort, startTestEnvoy, whyNoEnvoy } from "@plumbline/tools-engines";
import { resource, snapshot } from "@plumbline/xds";
import { createClients } from "../src/ads/clients.ts";
import { csdsService } from "../src/ads/csds-service.ts";
import {
  type ClientConfig,
  ClientStatusDiscoveryServiceDefinition,
  ConfigStatus,
} from "../src/gen/envoy/service/status/v3/csds.ts";
import type { StringMatcher } from "../src/gen/envoy/type/matcher/v3/string.ts";
import { answeredBy, startBackend, startControlPlane } from "./support.ts";

const skip = whyNoEnvoy() ?? false;

for (const variant of ["sotw", "delta"] as const) {
  test(`the status of an Envoy over ${variant} ADS has what it accepted, and why it rejected a route`, {
    skip,
    timeout: 120_000,
  }, async () => {
    await using a = await startBackend("a");
    await using controlPlane = await startControlPlane();
    const port = await freePort();
    controlPlane.put({
      listeners: { main: { host: "127.0.0.1", port, routes: "main" } },
      clusters: { a: { endpoints: [a.endpoint] } },
      routes: { main: [{ rules: [{ to: "a" }] }] },
    });
    await using _envoy = await startTestEnvoy({ controlPlanePort: controlPlane.port, variant, id: "edge-1" });
    await answeredBy(`http://127.0.0.1:${port}/`, "a");

    await using channel = await connect(`127.0.0.1:${controlPlane.port}`, noTelemetry, { timeoutMs: 10_000 });
    const csds = createClient(ClientStatusDiscoveryServiceDefinition, channel);
    const ask = async (exact: string): Promise<readonly ClientConfig[]> => {
      const nodeId = { matchPattern: { $case: "exact" as const, value: exact }, ignoreCase: false };
      const request = { nodeMatchers: [{ nodeId, nodeMetadatas: [] }], node: undefined, excludeResourceContents: true };
      return (await csds.fetchClientStatus(request)).config;
    };
    const rows = async () =>
      (await ask("edge-1")).flatMap(({ genericXdsConfigs }) =>
        genericXdsConfigs.map(({ typeUrl, name, versionInfo, configStatus, errorState }) => ({
          type: typeUrl.replace(/^.*\./, ""),
          name,
          versionInfo,
          configStatus,
          errorState,
        })),
      );
    const { ledger } = controlPlane.publisher;
    const version = (key: string) => ledger.effective?.get(key)?.version;
    const synced = { configStatus: ConfigStatus.SYNCED, errorState: undefined };
    const all = [
      { type: "Cluster", name: "a", versionInfo: version("cluster/a"), ...synced },
      { type: "ClusterLoadAssignment", name: "a", versionInfo: version("endpoints/a"), ...synced },
      { type: "Listener", name: "main", versionInfo: version("listener/main"), ...synced },
      { type: "RouteConfiguration", name: "main", versionInfo: version("route/main"), ...synced },
    ];
    await eventually(rows, (seen) => JSON.stringify(seen) === JSON.stringify(all));
    assert.deepEqual(await rows(), all);
    assert.deepEqual(await ask("edge-2"), []);

    const others = [...(ledger.effective?.values() ?? [])].filter(({ type }) => type !== "route");
    const invalid = resource("route", "main", new Uint8Array([0x0a, 4, ...Buffer.from("main"), 0x12, 2, 0x0a, 0]));
    controlPlane.publisher.put(snapshot([...others, invalid]));
    const [, , , route] = await eventually(rows, (seen) => seen[3]?.configStatus === ConfigStatus.ERROR);
    assert.equal(route?.versionInfo, all[3]?.versionInfo);
    assert.equal(route?.errorState?.versionInfo, invalid.version);
    assert.match(route?.errorState?.details ?? "", /VirtualHost/);
    const age = Date.now() - Number(route?.errorState?.lastUpdateAttempt);
    assert.ok(Math.abs(age) < 60_000, `the rejection is ${age} ms old`);
  });
}

test("the status of many clients is refused with the way to ask for fewer, and unknown matchers are", async () => {
  const clients = createClients();
  const row = { type: "route", name: "main", version: "1", status: "rejected" } as const;
  const status = () =>
    Array.from({ length: 1_000 }, () => ({ ...row, refusal: { version: "2", error: "x".repeat(1_024), at: 0 } }));
  for (const node of ["a", "b", "c"]) clients.add({ node, variant: "delta", status });
  await using server = await serve(
    { services: [csdsService(clients)], telemetry: noTelemetry },
    { host: "127.0.0.1", port: 0 },
  );
  await using channel = await connect(`127.0.0.1:${server.port}`, noTelemetry, { timeoutMs: 10_000 });
  const csds = createClient(ClientStatusDiscoveryServiceDefinition, channel);
  const ask = (matchPattern?: StringMatcher["matchPattern"]) =>
    csds.fetchClientStatus({
      nodeMatchers:
        matchPattern === undefined ? [] : [{ nodeId: { matchPattern, ignoreCase: false }, nodeMetadatas: [] }],
      node: undefined,
      excludeResourceContents: false,
    });
  await assert.rejects(ask(), { code: "resource_exhausted", message: /node_matchers/ });
  const one = await ask({ $case: "prefix", value: "b" });
  assert.deepEqual(
    one.config.map(({ node, genericXdsConfigs }) => [node?.id, genericXdsConfigs.length]),
    [["b", 1_000]],
  );
  const regex = ask({ $case: "safeRegex", value: { engineType: undefined, regex: "b" } });
  await assert.rejects(regex, { code: "invalid_argument" });
});
