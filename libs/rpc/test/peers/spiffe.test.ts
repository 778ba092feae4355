/** go-spiffe as a client and a server of ours: each side is known by the SPIFFE id it shows. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { noTelemetry } from "@plumbline/telemetry";
import type { Certified } from "@plumbline/tools-engines";
import { interopProgram, whyNoInteropProgram } from "@plumbline/tools-go";
import { connect } from "../../src/client/connect.ts";
import { createClient } from "../../src/client/create-client.ts";
import { ca, gateway, worker } from "../../src/conformance/certificates.ts";
import { Conformance, echo } from "../../src/conformance/test-context.ts";
import type { AccessTable } from "../../src/interceptors/access.ts";
import { serve } from "../../src/server/serve.ts";
import { service } from "../../src/server/service.ts";
import { type TransportName, transportNames } from "../../src/transports/index.ts";
import { type Peer, runClient, startServer } from "./peers.ts";

const timeout = 120_000;
const gatewayId = "spiffe://plumbline.test/gateway";
const workerId = "spiffe://plumbline.test/worker";
const unknownId = "spiffe://plumbline.test/unknown";

const missing = whyNoInteropProgram("spiffe-peer");
// Built before the first case, since that takes a minute without Go's build cache.
if (missing === undefined) interopProgram("spiffe-peer");
const skip = missing !== undefined && `NOT TESTED: go-spiffe cannot be had: ${missing}`;

const folder = mkdtempSync(join(tmpdir(), "spiffe-"));
after(() => rmSync(folder, { recursive: true }));

/** Returns a peer that shows a certificate and takes one id of the other side. */
function peer(name: string, { certificate, key }: Certified, other: string): Peer {
  const put = (file: string, text: string): string => {
    mkdirSync(join(folder, name), { recursive: true });
    writeFileSync(join(folder, name, file), text);
    return join(folder, name, file);
  };
  const files = [put("tls.crt", certificate), put("tls.key", key), put("ca.crt", ca)];
  return { command: interopProgram("spiffe-peer"), args: [...files, other], environment: {} };
}

const access: AccessTable = new Map([[`/${Conformance.fullName}/Unary`, { kind: "internal" }]]);
const handlers = {
  ...echo,
  unary: async (request: string, { caller }: { readonly caller: string | undefined }) => `${request} ${caller}`,
};

async function call(transport: TransportName, port: number, shown: Certified, serverIds: string): Promise<string> {
  const options = { transport, tls: { ca, ...shown }, serverIds, timeoutMs: 20_000 };
  await using channel = await connect(`127.0.0.1:${port}`, noTelemetry, options);
  return await createClient(Conformance, channel).unary("hi");
}

for (const transport of transportNames) {
  test(`a client of go-spiffe of our server on ${transport}`, { skip, timeout }, async (t) => {
    await using server = await serve(
      { services: [service(Conformance, handlers)], telemetry: noTelemetry, access: () => access },
      { host: "127.0.0.1", port: 0, transport, tls: { ...worker, clientCa: ca }, callers: gatewayId },
    );
    const says = async (one: Peer) => (await runClient(one, server.port)).join();
    await t.test("each knows the other", async () => {
      assert.equal(await says(peer("gateway", gateway, workerId)), `OK hi ${gatewayId}`);
    });
    await t.test("the client refuses a server with another id", async () => {
      assert.match(await says(peer("gateway", gateway, unknownId)), /^Unavailable .*unexpected ID .*worker/);
    });
    await t.test("the server refuses a client with another id", async () => {
      assert.equal(await says(peer("worker", worker, workerId)), "PermissionDenied this service is not for the caller");
    });
  });

  test(`our client on ${transport} of a server of go-spiffe`, { skip, timeout }, async (t) => {
    await using server = await startServer(peer("server", gateway, workerId));
    await t.test("each knows the other", async () => {
      assert.equal(await call(transport, server.port, worker, gatewayId), "hi");
    });
    await t.test("the client refuses a server with another id", async () => {
      const message = new RegExp(`is not for ${unknownId} but for ${gatewayId}`);
      await assert.rejects(call(transport, server.port, worker, unknownId), { code: "unavailable", message });
    });
    await t.test("the server refuses a client with another id", async () => {
      await assert.rejects(call(transport, server.port, gateway, gatewayId), { code: "unavailable" });
    });
  });
}
