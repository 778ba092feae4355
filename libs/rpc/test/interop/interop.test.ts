/** gRPC's interop cases against grpc-go, in both directions, over each transport. */
import { test } from "node:test";
import { peer, whyNoPeers } from "@plumbline/peers";
import { noTelemetry } from "@plumbline/telemetry";
import { connect } from "../../src/connect.ts";
import { transportNames } from "../../src/transports.ts";
import { cases } from "./cases.ts";
import { goClient, startGoServer } from "./go.ts";
import { serveInterop } from "./server.ts";

const missing = whyNoPeers();
// Built before the first case: it takes a minute or two where Go has built nothing yet.
if (missing === undefined) for (const name of ["interop-client", "interop-server"] as const) peer(name);
const skip = missing === undefined ? false : `NOT TESTED: ${missing}`;

for (const transport of transportNames) {
  test(`a grpc-go client of our server on ${transport}`, { skip, timeout: 120_000 }, async (t) => {
    await using server = await serveInterop(transport);
    for (const name of Object.keys(cases)) await t.test(name, () => goClient(name, server.port));
  });

  test(`our client on ${transport} of a grpc-go server`, { skip, timeout: 120_000 }, async (t) => {
    await using server = await startGoServer();
    await using channel = await connect({ target: `127.0.0.1:${server.port}`, transport }, noTelemetry);
    await channel.ready({ signal: AbortSignal.timeout(10_000) });
    for (const [name, run] of Object.entries(cases)) await t.test(name, () => run(channel));
  });
}
