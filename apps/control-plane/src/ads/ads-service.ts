import { derive } from "@plumbline/concurrency";
import { ServiceError } from "@plumbline/errors";
import { type Call, type ServiceImplementation, service } from "@plumbline/rpc";
import type { Telemetry } from "@plumbline/telemetry";
import { type AdsStream, openStream, type StreamEvent, SubscriptionError, type Timings } from "@plumbline/xds";
import { AggregatedDiscoveryServiceDefinition } from "../gen/envoy/service/discovery/v3/ads.ts";
import { type AdsMetrics, adsMetrics, type Variant } from "./ads-metrics.ts";
import type { Clients } from "./clients.ts";
import { deltaRequestOf, deltaResponseOf, type Incoming, sotwRequestOf, sotwResponseOf } from "./messages.ts";
import type { Publisher } from "./publisher.ts";

/** Serves the resources of the publisher to proxies and gRPC clients: ADS, SotW and delta. */
export function adsService(
  { publisher, clients }: { readonly publisher: Publisher; readonly clients: Clients },
  timings: Partial<Timings>,
  { logger, metrics }: Pick<Telemetry, "logger" | "metrics">,
): ServiceImplementation {
  const counters = adsMetrics(metrics);
  const parts = { publisher, clients, counters, logger };
  return service(AggregatedDiscoveryServiceDefinition, {
    async *streamAggregatedResources(requests, call) {
      const stream = openStream("sotw", publisher.ledger, timings);
      for await (const response of talk({ ...parts, variant: "sotw", stream, read: sotwRequestOf }, requests, call)) {
        yield sotwResponseOf(response);
      }
    },
    async *deltaAggregatedResources(requests, call) {
      const stream = openStream("delta", publisher.ledger, timings);
      for await (const response of talk({ ...parts, variant: "delta", stream, read: deltaRequestOf }, requests, call)) {
        yield deltaResponseOf(response);
      }
    },
  });
}

interface Conversation<Wire, Request, Response> {
  readonly variant: Variant;
  readonly stream: AdsStream<Request, Response>;
  /** Returns undefined for a request of a type that is not served. */
  readonly read: (message: Wire) => Incoming<Request>;
  readonly publisher: Publisher;
  readonly clients: Clients;
  readonly counters: AdsMetrics;
  readonly logger: Telemetry["logger"];
}

/** Answers the requests of one client until it leaves or the call ends. */
async function* talk<Wire, Request, Response extends { readonly type: StreamEvent["type"] }>(
  { variant, stream, read, publisher, clients, counters, logger }: Conversation<Wire, Request, Response>,
  requests: AsyncIterable<Wire>,
  call: Call,
): AsyncIterable<Response> {
  using scope = derive({ signal: call.signal });
  using subscription = publisher.subscribe();
  using _open = counters.opened(variant);
  const { changed } = subscription;
  const client = { node: "", variant, hasLeft: false, status: () => stream.status() };
  using _listed = clients.add(client);

  async function receive(): Promise<void> {
    for await (const message of requests) {
      const incoming = read(message);
      if (incoming.node !== "" && client.node === "") {
        client.node = incoming.node;
        logger.info("xDS client connected", { node: client.node, variant });
      }
      const { node } = client;
      if (incoming.request === undefined) {
        logger.debug("request for a type that is not served", { node, typeUrl: incoming.typeUrl });
        continue;
      }
      const event = stream.receive(incoming.request, performance.now());
      counters.answered(event);
      if (event.kind === "rejected") {
        const { type, names, error } = event;
        logger.warn("xDS client rejected resources", { node, variant, type, resources: names.slice(0, 20), error });
      }
      publisher.notify();
      changed.set();
    }
    client.hasLeft = true;
    changed.set();
  }

  const receiving = receive().catch((error: unknown) => scope.abort(error));
  try {
    while (!client.hasLeft) {
      for (let one = stream.next(performance.now()); one !== undefined; one = stream.next(performance.now())) {
        counters.sent(one.type);
        yield one;
      }
      const ms = stream.wakeAt === undefined ? undefined : Math.max(1, stream.wakeAt - performance.now());
      await changed.wait({ signal: scope.signal, ms });
    }
  } catch (error) {
    if (!(error instanceof SubscriptionError)) throw error;
    throw new ServiceError("resource_exhausted", error.message, { cause: error });
  } finally {
    scope.abort();
    await receiving;
  }
}
