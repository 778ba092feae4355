import { Writable } from "node:stream";
import { startTelemetry, type Telemetry, type TelemetryOptions } from "@plumbline/telemetry";

export interface RecordedSpan {
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parent: string | undefined;
  readonly links: readonly { readonly traceId: string; readonly spanId: string }[];
}

/** Returns telemetry whose spans can be read once it is disposed. */
export function recording(): Telemetry & { readonly spans: readonly RecordedSpan[] } {
  const spans: RecordedSpan[] = [];
  const ids = ({ traceId, spanId }: { traceId: string; spanId: string }) => ({ traceId, spanId });
  const sink: TelemetryOptions["sink"] = {
    add(span) {
      const links = span.links.map(({ context }) => ids(context));
      spans.push({ name: span.name, ...ids(span.ids), parent: span.parent?.spanId, links });
    },
  };
  const destination = new Writable({ write: (_chunk, _encoding, done) => done() });
  return { ...startTelemetry({ service: "test", destination, sink }), spans };
}
