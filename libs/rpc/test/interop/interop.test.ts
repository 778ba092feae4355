/** gRPC's interop cases against grpc-go, in both directions, over each transport. */
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { noTelemetry } from "@plumbline/telemetry";
import { interopProgram, whyNoInteropProgram } from "@plumbline/tools-go";
import { connect } from "../../src/client/connect.ts";
import { createClient } from "../../src/client/create-client.ts";
import { ca, server as pair } from "../../src/conformance/certificates.ts";
import { transportNames } from "../../src/transports/index.ts";
import type { StreamingOutputCallRequest } from "../gen/grpc/testing/messages.ts";
import { TestServiceDefinition } from "../gen/grpc/testing/test.ts";
import { cases } from "./cases.ts";
import { goClient, startGoServer } from "./go.ts";
import { serveInterop } from "./server.ts";

const missing = whyNoInteropProgram("interop-client");
// Built before the first case, since that takes a minute or two without Go's build cache.
if (missing === undefined) for (const name of ["interop-client", "interop-server"] as const) interopProgram(name);
const skip = missing === undefined ? false : `NOT TESTED: ${missing}`;

for (const transport of transportNames) {
  test(`a grpc-go client of our server on ${transport}`, { skip, timeout: 120_000 }, async (t) => {
    await using server = await serveInterop(transport);
    for (const name of Object.keys(cases)) await t.test(name, () => goClient(name, server.port));
  });

  test(`a grpc-go client of our server on ${transport} over TLS`, { skip, timeout: 120_000 }, async (t) => {
    const folder = await mkdtemp(join(tmpdir(), "interop-"));
    await using server = await serveInterop(transport, pair);
    try {
      await writeFile(join(folder, "ca.crt"), ca);
      const flags = [
        "-use_tls",
        "-use_test_ca",
        `-ca_file=${join(folder, "ca.crt")}`,
        "-server_host_override=localhost",
      ];
      for (const name of ["empty_unary", "large_unary", "ping_pong", "custom_metadata"]) {
        await t.test(name, () => goClient(name, server.port, flags));
      }
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  test(`our client on ${transport} of a grpc-go server`, { skip, timeout: 120_000 }, async (t) => {
    await using server = await startGoServer();
    await using channel = await connect(`127.0.0.1:${server.port}`, noTelemetry, { transport });
    await channel.ready({ signal: AbortSignal.timeout(10_000) });
    for (const [name, run] of Object.entries(cases)) await t.test(name, () => run(channel));
  });

  // grpc-go allows one ping in five minutes by default, and two that come too early.
  test(`our client on ${transport} backs off when a grpc-go server receives too many pings`, {
    skip,
    timeout: 60_000,
  }, async () => {
    await using server = await startGoServer();
    const keepaliveMs = 50;
    await using channel = await connect(`127.0.0.1:${server.port}`, noTelemetry, { transport, keepaliveMs });
    const lasted: number[] = [];
    while (lasted.length < 4) {
      await channel.ready({ signal: AbortSignal.timeout(10_000) });
      const begun = performance.now();
      const silent = createClient(TestServiceDefinition, channel).fullDuplexCall(never());
      // grpc-js reports some of these as resource_exhausted.
      await assert.rejects(Array.fromAsync(silent), { code: /^(unavailable|resource_exhausted)$/ });
      lasted.push(performance.now() - begun);
    }
    for (const [call, ms] of lasted.entries()) {
      const least = 3 * keepaliveMs * 2 ** call * 0.9;
      assert.ok(ms >= least, `${lasted.map(Math.round).join(", ")} ms`);
    }
  });
}

/** Yields no request, and does not end until the call is over. */
async function* never(): AsyncGenerator<StreamingOutputCallRequest> {
  yield await new Promise(() => {});
}
