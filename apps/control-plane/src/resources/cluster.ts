import type { ClusterRow } from "../document.ts";
import {
  Cluster,
  Cluster_DiscoveryType,
  Cluster_DnsLookupFamily,
  Cluster_LbPolicy,
} from "../gen/envoy/config/cluster/v3/cluster.ts";
import {
  HealthCheck,
  HealthCheck_GrpcHealthCheck,
  HealthCheck_HttpHealthCheck,
} from "../gen/envoy/config/core/v3/health_check.ts";
import { ClusterLoadAssignment } from "../gen/envoy/config/endpoint/v3/endpoint.ts";
import { HttpProtocolOptions } from "../gen/envoy/extensions/upstreams/http/v3/http_protocol_options.ts";
import { type Endpoint, socketAddress } from "./address.ts";
import { plainSocket, upstreamSocket } from "./tls.ts";
import { any, duration, overAds } from "./values.ts";

/** The label of the socket without TLS. Endpoints have none: only health checks ask for it. */
const plain = { plain: true };
const protocolOptions = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";

/**
 * Returns a cluster. `named` are its endpoints by host name, which the proxy resolves; without them
 * the endpoints are a resource of their own.
 */
export function clusterOf(name: string, row: ClusterRow, named: readonly Endpoint[] | undefined): Cluster {
  const { outliers, limits } = row;
  return Cluster.fromPartial({
    name,
    clusterDiscoveryType: {
      $case: "type",
      value: named === undefined ? Cluster_DiscoveryType.EDS : Cluster_DiscoveryType.STRICT_DNS,
    },
    ...(named === undefined
      ? { edsClusterConfig: { edsConfig: overAds } }
      : {
          loadAssignment: assignmentOf(name, row, named),
          // Envoy looks the names up every five seconds.
          dnsLookupFamily: Cluster_DnsLookupFamily.V4_PREFERRED,
        }),
    connectTimeout: duration(row.connectTimeoutMs),
    lbPolicy: row.balance === "least_request" ? Cluster_LbPolicy.LEAST_REQUEST : Cluster_LbPolicy.ROUND_ROBIN,
    // A removed endpoint gets no more requests, whatever its health checks say.
    ignoreHealthOnHostRemoval: true,
    closeConnectionsOnHostHealthFailure: false,
    commonLbConfig: { healthyPanicThreshold: { value: row.panicPercent } },
    healthChecks: row.healthCheck === undefined ? [] : [healthCheckOf(row.healthCheck, row.tls)],
    ...(row.tls !== undefined && {
      transportSocket: upstreamSocket(row.tls, row.protocol === "http2" ? "h2" : "http/1.1"),
      transportSocketMatches: [{ name: "plain", match: plain, transportSocket: plainSocket() }],
    }),
    outlierDetection: {
      consecutive5xx: outliers.consecutive5xx,
      enforcingConsecutive5xx: 100,
      enforcingSuccessRate: 0,
      interval: duration(outliers.intervalMs),
      baseEjectionTime: duration(outliers.ejectMs),
      maxEjectionPercent: outliers.maxPercent,
      // Otherwise 10 % of two endpoints are none, and nothing is ever taken out.
      alwaysEjectOneHost: outliers.maxPercent > 0,
    },
    circuitBreakers: {
      thresholds: [
        {
          maxConnections: limits.connections,
          maxPendingRequests: limits.pendingRequests,
          maxRequests: limits.requests,
          maxRetries: limits.retries,
        },
      ],
    },
    typedExtensionProtocolOptions: { [protocolOptions]: any(protocolOptions, HttpProtocolOptions, httpOptions(row)) },
  });
}

/** Returns the endpoints of a cluster, sorted, so that their order changes nothing. */
export function assignmentOf(
  name: string,
  { healthCheck }: ClusterRow,
  endpoints: readonly Endpoint[],
): ClusterLoadAssignment {
  // Envoy takes the port of health checks from the endpoint. It ignores HealthCheck.alt_port, which
  // its health_check.proto marks [#not-implemented-hide:].
  const health = healthCheck?.port === undefined ? {} : { healthCheckConfig: { portValue: healthCheck.port } };
  const sorted = endpoints.toSorted((a, b) => (a.host === b.host ? a.port - b.port : a.host < b.host ? -1 : 1));
  return ClusterLoadAssignment.fromPartial({
    clusterName: name,
    endpoints: [
      {
        locality: {},
        loadBalancingWeight: 1,
        lbEndpoints: sorted.map((endpoint) => ({
          hostIdentifier: { $case: "endpoint" as const, value: { address: socketAddress(endpoint), ...health } },
        })),
      },
    ],
  });
}

function httpOptions({ protocol, idleTimeoutMs }: ClusterRow): HttpProtocolOptions {
  const protocolConfig =
    protocol === "http2"
      ? { $case: "http2ProtocolOptions" as const, value: {} }
      : { $case: "httpProtocolOptions" as const, value: {} };
  return HttpProtocolOptions.fromPartial({
    ...(protocol === "http1" && { commonHttpProtocolOptions: { idleTimeout: duration(idleTimeoutMs) } }),
    upstreamProtocolOptions: { $case: "explicitHttpConfig", value: { protocolConfig } },
  });
}

function healthCheckOf(row: NonNullable<ClusterRow["healthCheck"]>, tls: ClusterRow["tls"]): HealthCheck {
  return HealthCheck.fromPartial({
    timeout: duration(row.timeoutMs),
    interval: duration(row.intervalMs),
    // A cluster without traffic is checked as often, or its first request would wait a minute.
    noTrafficInterval: duration(row.intervalMs),
    unhealthyThreshold: row.unhealthyAfter,
    healthyThreshold: row.healthyAfter,
    // A port of its own is that of probes, which has no TLS.
    ...(tls !== undefined && row.port !== undefined && { transportSocketMatchCriteria: plain }),
    healthChecker: checkerOf(row),
  });
}

function checkerOf(row: NonNullable<ClusterRow["healthCheck"]>): HealthCheck["healthChecker"] {
  return "grpc" in row
    ? { $case: "grpcHealthCheck", value: HealthCheck_GrpcHealthCheck.fromPartial({ serviceName: row.grpc }) }
    : { $case: "httpHealthCheck", value: HealthCheck_HttpHealthCheck.fromPartial({ path: row.http }) };
}
