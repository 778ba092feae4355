import type { ListenerRow } from "../document.ts";
import { Listener } from "../gen/envoy/config/listener/v3/listener.ts";
import { Router } from "../gen/envoy/extensions/filters/http/router/v3/router.ts";
import { HttpConnectionManager } from "../gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.ts";
import { socketAddress } from "./address.ts";
import { downstreamSocket } from "./tls.ts";
import { any, duration, overAds } from "./values.ts";

const managerName = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";
const routerName = "envoy.extensions.filters.http.router.v3.Router";

/** Returns a listener whose routes are a resource of their own. */
export function listenerOf(name: string, row: ListenerRow): Listener {
  const manager = any(managerName, HttpConnectionManager, managerOf(name, row));
  // A listener of gRPC clients has no socket.
  if (row.port === undefined) return Listener.fromPartial({ name, apiListener: { apiListener: manager } });
  return Listener.fromPartial({
    name,
    address: socketAddress({ host: row.host, port: row.port }),
    perConnectionBufferLimitBytes: 1_048_576,
    filterChains: [
      {
        ...(row.tls !== undefined && { transportSocket: downstreamSocket(row.tls) }),
        filters: [
          {
            name: "envoy.filters.network.http_connection_manager",
            configType: { $case: "typedConfig", value: manager },
          },
        ],
      },
    ],
  });
}

function managerOf(name: string, { routes, trustedHops, port }: ListenerRow): HttpConnectionManager {
  return HttpConnectionManager.fromPartial({
    statPrefix: name,
    routeSpecifier: { $case: "rds", value: { configSource: overAds, routeConfigName: routes } },
    httpFilters: [
      {
        name: "envoy.filters.http.router",
        configType: { $case: "typedConfig", value: any(routerName, Router, Router.fromPartial({})) },
      },
    ],
    // gRPC clients refuse the settings of a proxy.
    ...(port !== undefined && {
      // The address of the client is that of its connection; X-Forwarded-For gets it appended.
      useRemoteAddress: true,
      xffNumTrustedHops: trustedHops,
      normalizePath: true,
      requestHeadersTimeout: duration(10_000),
      streamIdleTimeout: duration(300_000),
      commonHttpProtocolOptions: { idleTimeout: duration(300_000) },
    }),
  });
}
