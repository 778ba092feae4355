import { resourceFromAttributes } from "@opentelemetry/resources";
import { AlwaysOnSampler, BatchSpanProcessor, type SpanExporter, TracerProvider } from "@opentelemetry/sdk-trace";
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
    sampler: new AlwaysOnSampler(), // It is given what is kept and nothing else.
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
