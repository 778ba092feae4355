import { Writable } from "node:stream";
import { startTelemetry, type Telemetry, type TelemetryOptions } from "@plumbline/telemetry";

export interface RecordedSpan {
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parent: string | undefined;
  readonly links: readonly { readonly traceId: string; readonly spanId: string }[];
}

// OpenTelemetry's ExportResultCode.SUCCESS. Its package is not a dependency here.
// oxlint-disable-next-line typescript/no-unsafe-enum-assignment
const sent = { code: 0 } as Parameters<Parameters<NonNullable<TelemetryOptions["exporter"]>["export"]>[1]>[0];

/** Returns telemetry whose spans can be read once it is disposed. */
export function recording(): Telemetry & { readonly spans: readonly RecordedSpan[] } {
  const spans: RecordedSpan[] = [];
  const ids = ({ traceId, spanId }: { traceId: string; spanId: string }) => ({ traceId, spanId });
  const exporter: TelemetryOptions["exporter"] = {
    export(batch, done) {
      for (const span of batch) {
        const links = span.links.map(({ context }) => ids(context));
        spans.push({ name: span.name, ...ids(span.spanContext()), parent: span.parentSpanContext?.spanId, links });
      }
      done(sent);
    },
    shutdown: async () => {},
  };
  const destination = new Writable({ write: (_chunk, _encoding, done) => done() });
  return { ...startTelemetry({ service: "test", destination, exporter }), spans };
}
