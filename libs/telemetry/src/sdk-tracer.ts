import { resourceFromAttributes } from "@opentelemetry/resources";
import {
  BatchSpanProcessor,
  ParentBasedSampler,
  type SpanExporter,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from "@opentelemetry/sdk-trace";
import { LinkBasedSampler } from "./link-based-sampler.ts";
import { otelTracer } from "./otel-tracer.ts";
import type { Tracer } from "./tracer.ts";

export interface SdkTracerOptions {
  readonly service: string;
  readonly version?: string | undefined;
  /** Share of new traces that is kept, 0 to 1. A trace begun elsewhere keeps the decision made there. */
  readonly sampleRatio: number;
  readonly exporter: SpanExporter;
}

/** Spans recorded by OpenTelemetry's SDK and exported in batches. 2,048 wait at most; more are dropped. */
export function sdkTracer(options: SdkTracerOptions): { readonly tracer: Tracer; shutdown(): Promise<void> } {
  const provider = new TracerProvider({
    resource: resourceFromAttributes({
      "service.name": options.service,
      ...(options.version !== undefined && { "service.version": options.version }),
    }),
    sampler: new ParentBasedSampler({ root: new LinkBasedSampler(new TraceIdRatioBasedSampler(options.sampleRatio)) }),
    spanLimits: { attributeValueLengthLimit: 2_048 },
    spanProcessors: [
      new BatchSpanProcessor({
        exporter: options.exporter,
        maxQueueSize: 2_048,
        scheduledDelayMillis: 1_000,
        exportTimeoutMillis: 10_000,
      }),
    ],
  });
  return { tracer: otelTracer(provider.getTracer("plumbline")), shutdown: () => provider.shutdown() };
}
