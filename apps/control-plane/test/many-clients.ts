/**
 * A process of many xDS clients, each with a connection of its own: `many-clients.ts PORT COUNT`.
 * Prints a line whenever all of them have the same version of the routes, which are sent last.
 */
import { Channel } from "@plumbline/concurrency";
import { connect, createClient } from "@plumbline/rpc";
import { noTelemetry } from "@plumbline/telemetry";
import { typeUrls } from "@plumbline/xds";
import { AggregatedDiscoveryServiceDefinition } from "../src/gen/envoy/service/discovery/v3/ads.ts";
import { DiscoveryRequest } from "../src/gen/envoy/service/discovery/v3/discovery.ts";

const [port, count] = process.argv.slice(2).map(Number);
const versions = new Map<number, string>();
let last = "";

function holds(client: number, version: string): void {
  versions.set(client, version);
  if (version === last || versions.size < Number(count)) return;
  if ([...versions.values()].some((other) => other !== version)) return;
  last = version;
  console.log(version);
}

/** Subscribes as Envoy does, and accepts everything. */
async function run(client: number): Promise<void> {
  await using channel = await connect(`127.0.0.1:${port}`, noTelemetry, { transport: "http2" });
  const ads = createClient(AggregatedDiscoveryServiceDefinition, channel);
  const requests = new Channel<DiscoveryRequest>(16);
  const ask = (typeUrl: string, resourceNames: string[] = [], responseNonce = "", versionInfo = "") =>
    requests.send(
      DiscoveryRequest.fromPartial({ typeUrl, resourceNames, responseNonce, versionInfo, node: { id: `c${client}` } }),
    );
  await ask(typeUrls.cluster);
  await ask(typeUrls.listener);
  const names = new Map<string, string[]>();
  for await (const { typeUrl, nonce, versionInfo, resources } of ads.streamAggregatedResources(requests.values())) {
    await ask(typeUrl, names.get(typeUrl), nonce, versionInfo);
    if (typeUrl === typeUrls.route) holds(client, versionInfo);
    if (typeUrl === typeUrls.cluster && !names.has(typeUrls.endpoints)) {
      // The names are those of the test's document.
      names.set(
        typeUrls.endpoints,
        resources.map((_, i) => `cluster-${i}`),
      );
      names.set(typeUrls.route, ["main"]);
      for (const [type, wanted] of names) await ask(type, wanted);
    }
  }
}

await Promise.all(Array.from({ length: Number(count) }, (_, client) => run(client)));
