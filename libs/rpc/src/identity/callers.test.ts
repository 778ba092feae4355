import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { encodePrincipal, principalName } from "@plumbline/auth";
import { descriptorSet } from "@plumbline/contracts";
import { noTelemetry, type Telemetry } from "@plumbline/telemetry";
import { connect } from "../client/connect.ts";
import { createClient } from "../client/create-client.ts";
import {
  ca,
  caller,
  disguised,
  gateway,
  otherDomain,
  overHttp,
  rootPath,
  server,
  twoUris,
  worker,
} from "../conformance/certificates.ts";
import { Conformance, echo } from "../conformance/test-context.ts";
import { ServerReflectionDefinition } from "../gen/grpc/reflection/v1/reflection.ts";
import type { AccessTable, MethodAccess } from "../interceptors/access.ts";
import { type ServeOptions, serve } from "../server/serve.ts";
import { service } from "../server/service.ts";
import type { ClientTls, Reloadable } from "../tls/options.ts";
import { type TransportName, transportNames } from "../transports/index.ts";

const timeout = 60_000;

const tableOf = (access: MethodAccess): AccessTable =>
  new Map(Object.values(Conformance.methods).map(({ name }) => [`/${Conformance.fullName}/${name}`, access]));
const scoped = tableOf({ kind: "scopes", scopes: ["a:read"] });
const internal = tableOf({ kind: "internal" });

function carried() {
  const now = Date.now();
  const who = { subject: "ada", client: "cli", scopes: ["a:read"], issuedMs: now, expiresMs: now + 3_600_000 };
  return { [principalName]: encodePrincipal(who) };
}

const only = { tls: { ...server, clientCa: ca }, callers: "spiffe://plumbline.test/gateway" };

function open(
  transport: TransportName,
  access: AccessTable,
  options: Partial<ServeOptions> = only,
  telemetry: Telemetry = noTelemetry,
) {
  const handlers = {
    ...echo,
    unary: async (_request: string, call: { caller: string | undefined; principal: { subject: string } | undefined }) =>
      `${call.caller} ${call.principal?.subject}`,
  };
  return serve(
    { services: [service(Conformance, handlers)], descriptors: descriptorSet, telemetry, access: () => access },
    { host: "127.0.0.1", port: 0, transport, graceMs: 1_000, ...options },
  );
}

async function call(
  transport: TransportName,
  port: number,
  tls: Reloadable<ClientTls>,
  metadata: Record<string, Uint8Array> = {},
): Promise<string> {
  await using channel = await connect(`127.0.0.1:${port}`, noTelemetry, { transport, tls, timeoutMs: 10_000 });
  return await createClient(Conformance, channel).unary("", { metadata });
}

for (const transport of transportNames) {
  void describe(`callers by certificate over ${transport}`, { timeout }, () => {
    void test("a caller that is named is known, and believed about principals", async () => {
      await using running = await open(transport, scoped);
      const answer = await call(transport, running.port, { ca, ...gateway }, carried());
      assert.equal(answer, "spiffe://plumbline.test/gateway ada");
      await assert.rejects(call(transport, running.port, { ca, ...gateway }), { reason: "PRINCIPAL_MISSING" });
    });

    void test("another service is refused, whatever principal it names (negatives 54, 55)", async () => {
      for (const access of [scoped, internal]) {
        await using running = await open(transport, access);
        await assert.rejects(call(transport, running.port, { ca, ...worker }, carried()), {
          code: "permission_denied",
          reason: "CALLER_NOT_ALLOWED",
        });
      }
    });

    void test("a certificate that gives no identity is refused (negative 53)", async () => {
      await using running = await open(transport, internal);
      for (const [name, certificate] of Object.entries({
        twoUris,
        otherDomain,
        rootPath,
        overHttp,
        disguised,
        caller,
      })) {
        await assert.rejects(
          call(transport, running.port, { ca, ...certificate }, carried()),
          { code: "unauthenticated", reason: "CALLER_INVALID" },
          name,
        );
      }
    });

    void test("health checks need no identity, and refusals of other calls are counted", async () => {
      const denied: unknown[] = [];
      const metrics = {
        ...noTelemetry.metrics,
        counter: (name: string) => ({
          inc: (labels?: object) => void (name.endsWith("_denied_total") && denied.push(labels)),
        }),
      };
      await using running = await open(transport, internal, only, { ...noTelemetry, metrics });
      const tls = { ca, ...caller };
      await using channel = await connect(`127.0.0.1:${running.port}`, noTelemetry, { transport, tls });
      const health = {
        fullName: "grpc.health.v1.Health",
        methods: { check: { ...Conformance.methods.unary, name: "Check" } },
      };
      await createClient(health, channel).check("");
      await assert.rejects(createClient(Conformance, channel).unary(""), { reason: "CALLER_INVALID" });
      assert.deepEqual(denied, [{ method: "plumbline.rpc.Conformance/Unary", reason: "CALLER_INVALID" }]);
    });

    void test("reflection answers callers that are named, and no others", async () => {
      await using running = await open(transport, internal);
      async function* request() {
        yield { host: "", messageRequest: { $case: "listServices" as const, value: "" } };
      }
      const list = async (tls: Reloadable<ClientTls>): Promise<number> => {
        await using channel = await connect(`127.0.0.1:${running.port}`, noTelemetry, { transport, tls });
        const reflection = createClient(ServerReflectionDefinition, channel);
        return (await Array.fromAsync(reflection.serverReflectionInfo(request()))).length;
      };
      assert.equal(await list({ ca, ...gateway }), 1);
      await assert.rejects(list({ ca, ...worker }), { reason: "CALLER_NOT_ALLOWED" });
      await assert.rejects(list({ ca, ...caller }), { reason: "CALLER_INVALID" });
    });

    void test("settings that do not fit together are refused at the start", async () => {
      const refusals: readonly [Partial<ServeOptions>, RegExp][] = [
        [{ ...only, tls: server }, /callers: expected tls\.clientCa too/],
        [{ ...only, tls: undefined }, /callers: expected tls\.clientCa too/],
        [{ ...only, callers: "gateway" }, /callers: expected SPIFFE ids with commas, .*not "gateway"/],
        [{ ...only, callers: "spiffe://a/b," }, /callers: expected SPIFFE ids .*not ""/],
        [{ ...only, callers: "spiffe://a/b,spiffe://c/b" }, /callers: expected one trust domain, not a and c/],
        [{ ...only, principalPeers: "loopback" }, /principalPeers: expected none with callers/],
      ];
      for (const [options, message] of refusals) await assert.rejects(open(transport, internal, options), { message });
    });
  });
}
