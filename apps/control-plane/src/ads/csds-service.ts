import { ServiceError } from "@plumbline/errors";
import { type ServiceImplementation, service } from "@plumbline/rpc";
import { type ResourceStatus, typeUrls } from "@plumbline/xds";
import {
  ClientConfig,
  ClientConfig_GenericXdsConfig,
  ClientStatusDiscoveryServiceDefinition,
  type ClientStatusRequest,
  type ClientStatusResponse,
  ConfigStatus,
} from "../gen/envoy/service/status/v3/csds.ts";
import type { NodeMatcher } from "../gen/envoy/type/matcher/v3/node.ts";
import type { Client, Clients } from "./clients.ts";

/** The largest answer. A client's message has 4 MiB at most by default. */
const maxBytes = 3 * 1024 * 1024;

const statuses: Readonly<Record<ResourceStatus["status"], ConfigStatus>> = {
  synced: ConfigStatus.SYNCED,
  unanswered: ConfigStatus.STALE,
  unsent: ConfigStatus.NOT_SENT,
  rejected: ConfigStatus.ERROR,
};

/**
 * Serves the state of each client: the version that it accepted of each resource, and the reason of
 * each rejection. It never has the resources' content.
 */
export function csdsService(clients: Clients): ServiceImplementation {
  return service(ClientStatusDiscoveryServiceDefinition, {
    fetchClientStatus: async (request) => answer(clients, request),
    async *streamClientStatus(requests) {
      for await (const request of requests) yield answer(clients, request);
    },
  });
}

function answer(clients: Iterable<Client>, { nodeMatchers }: ClientStatusRequest): ClientStatusResponse {
  const matchers = nodeMatchers.map(matcherOf);
  const config: ClientConfig[] = [];
  let bytes = 0;
  for (const client of clients) {
    if (matchers.length > 0 && !matchers.some((matches) => matches(client.node))) continue;
    const { rows, size } = rowsOf(client, maxBytes - bytes);
    bytes += size;
    if (bytes > maxBytes) throw tooLarge(config.length);
    config.push(rows);
  }
  return { config };
}

/** Returns the rows of a client, or a few of them with a size above the limit. */
function rowsOf(client: Client, limit: number): { readonly rows: ClientConfig; readonly size: number } {
  const node = { id: client.node, userAgentName: client.variant };
  const rows = ClientConfig.fromPartial({ node });
  let size = ClientConfig.encode(rows).finish().byteLength + 8;
  for (const one of client.status()) {
    const row = rowOf(one);
    size += ClientConfig_GenericXdsConfig.encode(row).finish().byteLength + 8;
    if (size > limit) break;
    rows.genericXdsConfigs.push(row);
  }
  return { rows, size };
}

function rowOf({ type, name, version, status, refusal }: ResourceStatus): ClientConfig_GenericXdsConfig {
  return ClientConfig_GenericXdsConfig.fromPartial({
    typeUrl: typeUrls[type],
    name,
    versionInfo: version,
    configStatus: statuses[status],
    ...(refusal !== undefined && {
      errorState: {
        versionInfo: refusal.version,
        details: refusal.error,
        lastUpdateAttempt: new Date(performance.timeOrigin + refusal.at),
      },
    }),
  });
}

function matcherOf({ nodeId, nodeMetadatas }: NodeMatcher): (node: string) => boolean {
  const pattern = nodeId?.matchPattern;
  const isKnown = pattern?.$case !== "safeRegex" && pattern?.$case !== "custom";
  if (nodeMetadatas.length > 0 || !isKnown || nodeId?.ignoreCase === true) {
    throw new ServiceError(
      "invalid_argument",
      "node_matchers: expected node_id with exact, prefix, suffix or contains, and nothing else",
    );
  }
  if (pattern === undefined) return () => true;
  const { value } = pattern;
  return {
    exact: (node: string) => node === value,
    prefix: (node: string) => node.startsWith(value),
    suffix: (node: string) => node.endsWith(value),
    contains: (node: string) => node.includes(value),
  }[pattern.$case];
}

function tooLarge(complete: number): ServiceError {
  return new ServiceError(
    "resource_exhausted",
    `the state of ${complete} clients and some of the next one are ${maxBytes} bytes: ` +
      'name fewer clients by node_matchers, such as {"node_id": {"prefix": "envoy-1"}}',
  );
}
