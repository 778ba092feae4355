import type { Metrics } from "@plumbline/telemetry";
import type { ResourceType, StreamEvent } from "@plumbline/xds";

export type Variant = "sotw" | "delta";

/** The counters of the ADS server. */
export interface AdsMetrics {
  /** Counts the stream until it is disposed. */
  opened(variant: Variant): Disposable;
  sent(type: ResourceType): void;
  answered(event: StreamEvent): void;
}

export function adsMetrics(metrics: Metrics): AdsMetrics {
  const streams = metrics.gauge("xds_streams", "Open streams of proxies and clients.", ["variant"]);
  const responses = metrics.counter("xds_responses_total", "Responses that were sent.", ["type"]);
  const acks = metrics.counter("xds_acks_total", "Responses that a client accepted.", ["type"]);
  const nacks = metrics.counter("xds_nacks_total", "Responses that a client rejected.", ["type"]);
  return {
    opened(variant) {
      streams.inc({ variant });
      return { [Symbol.dispose]: () => streams.dec({ variant }) };
    },
    sent: (type) => responses.inc({ type }),
    answered({ kind, type }) {
      if (kind === "accepted") acks.inc({ type });
      if (kind === "rejected") nacks.inc({ type });
    },
  };
}
