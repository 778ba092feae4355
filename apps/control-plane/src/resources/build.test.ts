import assert from "node:assert/strict";
import { test } from "node:test";
import { RoutesDocument } from "../document.ts";
import { Cluster } from "../gen/envoy/config/cluster/v3/cluster.ts";
import type { TransportSocket } from "../gen/envoy/config/core/v3/base.ts";
import { Listener } from "../gen/envoy/config/listener/v3/listener.ts";
import { TlsParameters_TlsProtocol } from "../gen/envoy/extensions/transport_sockets/tls/v3/common.ts";
import { Secret } from "../gen/envoy/extensions/transport_sockets/tls/v3/secret.ts";
import {
  type CommonTlsContext,
  DownstreamTlsContext,
  UpstreamTlsContext,
} from "../gen/envoy/extensions/transport_sockets/tls/v3/tls.ts";
import { buildSnapshot } from "./build.ts";

const document = {
  certificates: {
    envoy: { certificateFile: "/run/tls/tls.crt", keyFile: "/run/tls/tls.key", caFile: "/etc/ca/ca.crt" },
    linked: {
      certificateFile: "/run/tls/now/tls.crt",
      keyFile: "/run/tls/now/tls.key",
      caFile: "/run/tls/now/ca.crt",
      watchedDirectory: "/run/tls",
    },
  },
  listeners: {
    calls: {
      port: 8001,
      routes: "calls",
      tls: { certificate: "linked", callers: ["spiffe://example.org/gateway", "spiffe://example.org/orders"] },
    },
    public: { port: 8000, routes: "public" },
  },
  clusters: {
    orders: {
      endpoints: ["10.0.0.1:50052"],
      protocol: "http2",
      healthCheck: { http: "/readyz", port: 9464 },
      tls: { certificate: "envoy", id: "spiffe://example.org/orders" },
    },
    web: { endpoints: ["10.0.0.2:8080"], healthCheck: { http: "/readyz", port: 9464 } },
  },
  routes: { calls: [{ rules: [{ to: "orders" }] }], public: [{ rules: [{ to: "web" }] }] },
};
const { resources } = buildSnapshot(RoutesDocument.parse(document), new Map());

function bytesOf(key: string): Uint8Array {
  return resources.get(key)?.bytes ?? assert.fail(`there is no ${key}`);
}

function contextIn(socket: TransportSocket | undefined): Uint8Array {
  assert.equal(socket?.name, "envoy.transport_sockets.tls");
  return socket.configType?.value.value ?? assert.fail("the socket has no context");
}

/** Returns what decides about the other side: versions, protocols, names and secrets. */
function decisionsOf(context: CommonTlsContext | undefined) {
  const validation = context?.validationContextType;
  assert.ok(validation?.$case === "combinedValidationContext");
  const { defaultValidationContext, validationContextSdsSecretConfig } = validation.value;
  return {
    least: context?.tlsParams?.tlsMinimumProtocolVersion,
    alpn: context?.alpnProtocols,
    ids: defaultValidationContext?.matchTypedSubjectAltNames.map(({ sanType, matcher }) => [
      sanType,
      matcher?.matchPattern,
    ]),
    secrets: [...(context?.tlsCertificateSdsSecretConfigs ?? []), validationContextSdsSecretConfig].map(
      (one) => `${one?.name} over ${one?.sdsConfig?.configSourceSpecifier?.$case}`,
    ),
  };
}

const uri = (value: string) => [3, { $case: "exact", value }];

test("a cluster with an id calls servers with that id alone, over TLS 1.3 and HTTP/2", () => {
  const cluster = Cluster.decode(bytesOf("cluster/orders"));
  const { commonTlsContext } = UpstreamTlsContext.decode(contextIn(cluster.transportSocket));
  assert.deepEqual(decisionsOf(commonTlsContext), {
    least: TlsParameters_TlsProtocol.TLSv1_3,
    alpn: ["h2"],
    ids: [uri("spiffe://example.org/orders")],
    secrets: ["envoy/certificate over ads", "envoy/authority over ads"],
  });
  const [plain] = cluster.transportSocketMatches;
  assert.equal(plain?.transportSocket?.name, "envoy.transport_sockets.raw_buffer");
  assert.deepEqual(cluster.healthChecks[0]?.transportSocketMatchCriteria, plain.match);
});

test("a listener with callers needs a certificate with one of their ids", () => {
  const [chain] = Listener.decode(bytesOf("listener/calls")).filterChains;
  const context = DownstreamTlsContext.decode(contextIn(chain?.transportSocket));
  assert.equal(context.requireClientCertificate, true);
  assert.deepEqual(decisionsOf(context.commonTlsContext), {
    least: TlsParameters_TlsProtocol.TLSv1_3,
    alpn: ["h2"],
    ids: [uri("spiffe://example.org/gateway"), uri("spiffe://example.org/orders")],
    secrets: ["linked/certificate over ads", "linked/authority over ads"],
  });
});

test("a secret names files and the folder in which they are replaced, which is theirs by default", () => {
  const files = Object.fromEntries(
    [...resources.values()]
      .filter(({ type }) => type === "secret")
      .map(({ name, bytes }) => {
        const { type } = Secret.decode(bytes);
        if (type?.$case === "tlsCertificate") {
          const { certificateChain, privateKey, watchedDirectory } = type.value;
          const [chain, key] = [certificateChain, privateKey].map((one) => one?.specifier?.value);
          return [name, [watchedDirectory?.path, chain, key]];
        }
        assert.ok(type?.$case === "validationContext");
        return [name, [type.value.watchedDirectory?.path, type.value.trustedCa?.specifier?.value]];
      }),
  );
  assert.deepEqual(files, {
    "envoy/certificate": ["/run/tls", "/run/tls/tls.crt", "/run/tls/tls.key"],
    "envoy/authority": ["/etc/ca", "/etc/ca/ca.crt"],
    "linked/certificate": ["/run/tls", "/run/tls/now/tls.crt", "/run/tls/now/tls.key"],
    "linked/authority": ["/run/tls", "/run/tls/now/ca.crt"],
  });
});

test("without tls a cluster, its health checks and a listener are plain", () => {
  const cluster = Cluster.decode(bytesOf("cluster/web"));
  assert.equal(cluster.transportSocket, undefined);
  assert.deepEqual(cluster.transportSocketMatches, []);
  assert.equal(cluster.healthChecks[0]?.transportSocketMatchCriteria, undefined);
  const [chain] = Listener.decode(bytesOf("listener/public")).filterChains;
  assert.equal(chain?.transportSocket, undefined);
});
