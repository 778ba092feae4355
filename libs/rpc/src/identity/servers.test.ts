import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { noTelemetry } from "@plumbline/telemetry";
import { type ConnectOptions, connect } from "../client/connect.ts";
import { createClient } from "../client/create-client.ts";
import {
  ca,
  clientOnly,
  disguised,
  expiredGateway,
  foreign,
  gateway,
  otherCa,
  otherDomain,
  overHttp,
  rootPath,
  server,
  twoUris,
  worker,
} from "../conformance/certificates.ts";
import { Conformance, echo } from "../conformance/test-context.ts";
import { serve } from "../server/serve.ts";
import { service } from "../server/service.ts";
import type { ServerTls } from "../tls/options.ts";
import { type TransportName, transportNames } from "../transports/index.ts";

const timeout = 60_000;

const gatewayId = "spiffe://plumbline.test/gateway";
const workerId = "spiffe://plumbline.test/worker";

function open(transport: TransportName, tls: ServerTls) {
  const options = { host: "127.0.0.1", port: 0, transport, tls, graceMs: 1_000 };
  return serve({ services: [service(Conformance, echo)], telemetry: noTelemetry }, options);
}

async function call(port: number, options: ConnectOptions): Promise<string> {
  await using channel = await connect(`127.0.0.1:${port}`, noTelemetry, { timeoutMs: 10_000, ...options });
  return await createClient(Conformance, channel).unary("hi");
}

for (const transport of transportNames) {
  void describe(`servers by certificate over ${transport}`, { timeout }, () => {
    const expecting = (serverIds?: string): ConnectOptions => ({ transport, tls: { ca }, serverIds });

    void test("a server that shows one of the ids is called, and needs no other name", async () => {
      await using running = await open(transport, gateway);
      assert.equal(await call(running.port, expecting(gatewayId)), "hi");
      assert.equal(await call(running.port, expecting(`${workerId}, ${gatewayId}`)), "hi");
      for (const names of [expecting(), expecting("")]) {
        const message = /is not for 127\.0\.0\.1 but for URI:spiffe:\/\/plumbline\.test\/gateway/;
        await assert.rejects(call(running.port, names), { code: "unavailable", message });
      }
    });

    const refusals: Readonly<Record<string, readonly [ServerTls, RegExp]>> = {
      worker: [worker, /is not for spiffe:\/\/plumbline\.test\/gateway but for spiffe:\/\/plumbline\.test\/worker/],
      twoUris: [twoUris, /gateway: the certificate has 2 URIs, expected one \(URI:.*gateway, URI:.*worker\)/],
      server: [server, /gateway: the certificate has no URI \(DNS:localhost, IP Address:127\.0\.0\.1\)/],
      disguised: [disguised, /gateway: the certificate has no URI \(DNS:.*gateway"?\)/],
      otherDomain: [
        otherDomain,
        /gateway: the SPIFFE id is of another trust domain \(URI:spiffe:\/\/other\.test\/gateway\)/,
      ],
      rootPath: [rootPath, /gateway: the certificate's URI is no SPIFFE id \(URI:/],
      overHttp: [overHttp, /gateway: the certificate's URI is no SPIFFE id \(URI:/],
      foreign: [foreign, /signed by an authority that is not trusted here/],
      expiredGateway: [expiredGateway, /the server's certificate has expired/],
      clientOnly: [clientOnly, /unsuitable certificate purpose/],
    };
    for (const [name, [tls, message]] of Object.entries(refusals)) {
      void test(`a server is not called that shows the certificate ${name}`, async () => {
        await using running = await open(transport, tls);
        await assert.rejects(call(running.port, expecting(gatewayId)), { code: "unavailable", message });
      });
    }

    void test("both sides may be known by their ids alone", async () => {
      await using running = await open(transport, { ...gateway, clientCa: ca });
      const tls = { ca, ...worker };
      assert.equal(await call(running.port, { transport, tls, serverIds: gatewayId }), "hi");
    });

    void test("new authorities apply to new connections, and the ids stay", async () => {
      await using running = await open(transport, foreign);
      await using next = await open(transport, worker);
      let tls = { ca };
      const options = { transport, tls: () => tls, serverIds: gatewayId, timeoutMs: 10_000 };
      await using channel = await connect(`127.0.0.1:${running.port}`, noTelemetry, options);
      const client = createClient(Conformance, channel);
      await assert.rejects(client.unary(""), { code: "unavailable" });
      tls = { ca: `${ca}${otherCa}` };
      await channel.ready({ signal: AbortSignal.timeout(30_000) });
      assert.equal(await client.unary("hi"), "hi");
      await assert.rejects(call(next.port, options), { message: /gateway but for .*worker/ });
    });

    void test("settings that do not fit together are refused at the start", async () => {
      const refused: readonly [ConnectOptions, RegExp][] = [
        [{ transport, serverIds: gatewayId }, /serverIds: expected tls too/],
        [expecting("gateway"), /serverIds: expected SPIFFE ids with commas, .*not "gateway"/],
        [expecting("spiffe://a/b,"), /serverIds: expected SPIFFE ids .*not ""/],
        [expecting("spiffe://a/b,spiffe://c/b"), /serverIds: expected one trust domain, not a and c/],
      ];
      for (const [options, message] of refused) await assert.rejects(call(1, options), { message });
    });
  });
}
