import { resourceFromAttributes } from "@opentelemetry/resources";
import { AlwaysOnSampler, BatchSpanProcessor, type SpanExporter, TracerProvider } from "@opentelemetry/sdk-trace";
import { otelTracer } from "./otel-tracer.ts";
import type { Tracer } from "./tracer.ts";

export interface SdkTracerOptions {
  readonly service: string;
  readonly version?: string | undefined;
  /**
   * The share of new traces that is recorded, 0 to 1. A trace from another process keeps its
   * decision.
   */
  readonly sampleRatio: number;
  readonly exporter: SpanExporter;
}

/**
 * Returns a tracer that records by OpenTelemetry's SDK and exports in batches. At most 2,048 spans
 * wait.
 */
export function sdkTracer(options: SdkTracerOptions): { readonly tracer: Tracer; shutdown(): Promise<void> } {
  const provider = new TracerProvider({
    resource: resourceFromAttributes({
      "service.name": options.service,
      ...(options.version !== undefined && { "service.version": options.version }),
    }),
    sampler: new AlwaysOnSampler(), // It gets only spans that are sampled.
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
  return {
    tracer: otelTracer(provider.getTracer("plumbline"), options.sampleRatio),
    shutdown: () => provider.shutdown(),
  };
}
