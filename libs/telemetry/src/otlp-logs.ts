import { setTimeout as sleep } from "node:timers/promises";
import { type AnyValue, SeverityNumber, TraceFlags } from "@opentelemetry/api";
import { resourceFromAttributes } from "@opentelemetry/resources";
import type { Logger, LogLevel } from "./logger.ts";
import type { Counter } from "./metrics.ts";
import type { Json } from "./printable.ts";

export interface OtlpLogsOptions {
  /** A collector's base, `http://collector:4318`. */
  readonly endpoint: string;
  readonly service: string;
  readonly version?: string | undefined;
}

interface Line {
  readonly level: LogLevel;
  /** As it was written: one JSON object. Read when it is sent, so that a line that is lost has cost nothing. */
  readonly text: string;
  /** Milliseconds since 1970. */
  readonly at: number;
}

const most = 2_048;
const batchSize = 512;
const delayMs = 1_000;
const sendMs = 5_000;
const quietMs = 60_000;

const severities: Readonly<Record<LogLevel, SeverityNumber>> = {
  debug: SeverityNumber.DEBUG,
  info: SeverityNumber.INFO,
  warn: SeverityNumber.WARN,
  error: SeverityNumber.ERROR,
};

/**
 * Sends the lines of the log by OTLP over HTTP too, in batches. 2,048 wait at most; the next is lost here, not on standard output.
 * What is lost is counted, and warned about once a minute. The serializer is loaded with the first batch.
 */
export class OtlpLogs {
  readonly #url: string;
  readonly #resource: ReturnType<typeof resourceFromAttributes>;
  readonly #waiting: Line[] = [];
  readonly #closing = new AbortController();
  #sending: Promise<void> | undefined;
  #warnedAt = Number.NEGATIVE_INFINITY;
  #counter: Counter<"outcome"> | undefined;
  #logger: Logger | undefined;

  constructor({ endpoint, service, version }: OtlpLogsOptions) {
    this.#url = `${endpoint.replace(/\/+$/, "")}/v1/logs`;
    this.#resource = resourceFromAttributes({
      "service.name": service,
      ...(version !== undefined && { "service.version": version }),
    });
  }

  /** Where losses are told: these exist later than the log does. */
  report(logger: Logger, counter: Counter<"outcome">): void {
    this.#logger = logger;
    this.#counter = counter;
  }

  add(level: LogLevel, text: string): void {
    if (this.#waiting.length >= most) {
      this.#counter?.inc({ outcome: "lost" });
      return;
    }
    this.#waiting.push({ level, text, at: Date.now() });
    this.#sending ??= this.#sendLater();
  }

  /** Sends what waits, without the pause. */
  async shutdown(): Promise<void> {
    this.#closing.abort();
    await this.#sending;
  }

  async #sendLater(): Promise<void> {
    // Not a reason for a process to live: what waits at the end is sent by `shutdown`.
    await sleep(delayMs, undefined, { ref: false, signal: this.#closing.signal }).catch(() => undefined);
    while (this.#waiting.length > 0) await this.#send(this.#waiting.splice(0, batchSize));
    this.#sending = undefined;
  }

  async #send(lines: readonly Line[]): Promise<void> {
    try {
      const { ProtobufLogsSerializer } = await import("@opentelemetry/otlp-transformer");
      const body = ProtobufLogsSerializer.serializeRequest(lines.map((line) => toOtlp(line, this.#resource)));
      const headers = { "content-type": "application/x-protobuf" };
      const answer = await fetch(this.#url, {
        method: "POST",
        headers,
        body: new Uint8Array(body ?? []),
        signal: AbortSignal.timeout(sendMs),
      });
      await answer.body?.cancel();
      if (!answer.ok) throw new Error(`the collector answered ${answer.status}`);
      this.#counter?.inc({ outcome: "sent" }, lines.length);
    } catch (error) {
      this.#counter?.inc({ outcome: "lost" }, lines.length);
      if (Date.now() - this.#warnedAt < quietMs) return;
      this.#warnedAt = Date.now();
      this.#logger?.warn("log lines were lost: the collector did not take them", { error, lines: lines.length });
    }
  }
}

const scope = { name: "plumbline" };

/** What is a field of its own in OTLP is no attribute. */
function toOtlp({ level, text, at }: Line, resource: ReturnType<typeof resourceFromAttributes>) {
  const {
    time: _,
    level: _level,
    service: _service,
    message,
    trace_id: traceId,
    span_id: spanId,
    ...attributes
  } = JSON.parse(text) as Readonly<Record<string, Json>>;
  const hrTime: [number, number] = [Math.floor(at / 1_000), (at % 1_000) * 1_000_000];
  return {
    hrTime,
    hrTimeObserved: hrTime,
    severityNumber: severities[level],
    severityText: level,
    body: message as AnyValue,
    attributes: attributes as Record<string, AnyValue>,
    droppedAttributesCount: 0,
    resource,
    instrumentationScope: scope,
    ...(typeof traceId === "string" &&
      typeof spanId === "string" && { spanContext: { traceId, spanId, traceFlags: TraceFlags.NONE } }),
  };
}
