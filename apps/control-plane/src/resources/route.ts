import type { RuleRow, VirtualHostRow } from "../document.ts";
import { RouteConfiguration } from "../gen/envoy/config/route/v3/route.ts";
import type { HeaderMatcher, Route, RouteAction } from "../gen/envoy/config/route/v3/route_components.ts";
import {
  HeaderMatcher as HeaderMatcherCodec,
  RouteAction as RouteActionCodec,
  Route as RouteCodec,
} from "../gen/envoy/config/route/v3/route_components.ts";
import { duration } from "./values.ts";

/** Returns a table of routes. The first rule that matches wins. */
export function routesOf(name: string, hosts: readonly VirtualHostRow[]): RouteConfiguration {
  return RouteConfiguration.fromPartial({
    name,
    virtualHosts: hosts.map(({ hosts: domains, rules }, i) => ({
      name: `${name}-${i}`,
      domains,
      routes: rules.map(routeOf),
    })),
  });
}

function routeOf(rule: RuleRow): Route {
  const { prefix, path, headers } = rule;
  return RouteCodec.fromPartial({
    match: {
      pathSpecifier: path === undefined ? { $case: "prefix", value: prefix ?? "/" } : { $case: "path", value: path },
      headers: Object.entries(headers).map(([header, match]) => matcherOf(header, match)),
    },
    action: { $case: "route", value: actionOf(rule) },
  });
}

function matcherOf(name: string, match: RuleRow["headers"][string]): HeaderMatcher {
  if ("present" in match) {
    return HeaderMatcherCodec.fromPartial({
      name,
      headerMatchSpecifier: { $case: "presentMatch", value: true },
      invertMatch: !match.present,
    });
  }
  return HeaderMatcherCodec.fromPartial({
    name,
    headerMatchSpecifier: {
      $case: "stringMatch",
      value: {
        matchPattern:
          "exact" in match ? { $case: "exact", value: match.exact } : { $case: "prefix", value: match.prefix },
      },
    },
  });
}

function actionOf({ to, timeoutMs, retries }: RuleRow): RouteAction {
  const weights = Object.entries(to);
  const [only, ...others] = weights;
  return RouteActionCodec.fromPartial({
    clusterSpecifier:
      only !== undefined && others.length === 0
        ? { $case: "cluster", value: only[0] }
        : { $case: "weightedClusters", value: { clusters: weights.map(([name, weight]) => ({ name, weight })) } },
    timeout: duration(timeoutMs),
    ...(retries.attempts > 0 && {
      retryPolicy: {
        retryOn: retries.on,
        numRetries: retries.attempts,
        ...(retries.perTryTimeoutMs !== undefined && { perTryTimeout: duration(retries.perTryTimeoutMs) }),
        retryBackOff: { baseInterval: duration(25), maxInterval: duration(250) },
      },
    }),
  });
}
