import winston from "winston";
import Transport from "winston-transport";
import { errorFields } from "./error-fields.ts";
import { type Destination, Lines } from "./lines.ts";
import type { Fields, Logger, LogLevel } from "./logger.ts";
import { type Json, newBudget, printable } from "./printable.ts";

export interface LoggerOptions {
  readonly service: string;
  readonly level: LogLevel;
  readonly destination: Destination;
  /** Given each line that is written, to send it elsewhere too. */
  readonly forward?: ((level: LogLevel, record: Readonly<Record<string, Json>>) => void) | undefined;
  /** The ids of the active span. */
  readonly current: () => { readonly traceId: string; readonly spanId: string } | undefined;
}

const levels = { error: 0, warn: 1, info: 2, debug: 3 } as const;

/** A line in the making. winston drops records with `exception: true` and rewrites `message` fields (winstonjs/winston#1739), so ours travels inside. */
interface Entry {
  readonly record: Record<string, Json>;
}

/** JSON lines through winston. `flush` resolves when all of them have left the process. */
export function winstonLogger(options: LoggerOptions): {
  readonly logger: Logger;
  readonly flush: () => Promise<void>;
} {
  const head = (level: LogLevel, message: Json): Record<string, Json> => ({
    time: now(),
    level,
    service: options.service,
    message,
  });
  const lines = new Lines(options.destination, (dropped) =>
    JSON.stringify({ ...head("warn", "log lines were dropped: their reader is slow"), lines: dropped }),
  );
  const sink = winston.createLogger({
    levels,
    level: options.level,
    format: { transform: (info) => info },
    transports: [new LineTransport(lines)],
  });

  const write: Write = (level, message, bound, fields, error) => {
    if (levels[level] > levels[options.level]) return; // Before any work: most debug lines are never read.
    const budget = newBudget();
    const record = head(level, printable(message, budget)); // Not just text: a caller may be mistaken.
    const active = options.current();
    if (active !== undefined) {
      record["trace_id"] = active.traceId;
      record["span_id"] = active.spanId;
    }
    // The error before the fields: when the line is full, what failed is what must be left.
    if (error !== undefined) Object.assign(record, errorFields(error, budget));
    if (bound !== none) addFields(record, bound, budget);
    if (fields !== none) addFields(record, fields, budget);
    sink.log({ level, message, record });
    options.forward?.(level, record);
  };

  return { logger: bind(write, none), flush: () => lines.flush() };
}

/** The end of winston's pipe: the record becomes a line here, untouched by its formats. */
class LineTransport extends Transport {
  readonly #lines: Lines;

  constructor(lines: Lines) {
    super();
    this.#lines = lines;
  }

  override log({ record }: Entry, next: () => void): void {
    this.#lines.write(`${JSON.stringify(record)}\n`);
    next();
  }
}

const none: Fields = {};

let stamp = { at: 0, text: "" };

/** The time in ISO 8601. Lines of the same millisecond share one text: making it costs as much as a field. */
function now(): string {
  const at = Date.now();
  if (at !== stamp.at) stamp = { at, text: new Date(at).toISOString() };
  return stamp.text;
}

type Write = (level: LogLevel, message: string, bound: Fields, fields: Fields, error?: unknown) => void;

function bind(write: Write, bound: Fields): Logger {
  return {
    debug: (message, fields = none) => write("debug", message, bound, fields),
    info: (message, fields = none) => write("info", message, bound, fields),
    warn: (message, fields = none) => write("warn", message, bound, fields),
    error: (message, error, fields = none) => write("error", message, bound, fields, error),
    child: (fields) => bind(write, { ...bound, ...fields }),
  };
}

const reserved = new Set(["time", "level", "service", "message", "trace_id", "span_id"]);

function addFields(record: Record<string, Json>, fields: Fields, budget: ReturnType<typeof newBudget>): void {
  const copied = printable(fields, budget);
  if (typeof copied !== "object" || copied === null) return;
  const entries = copied as Readonly<Record<string, Json>>;
  for (const key in entries) {
    // A field may not pass itself off as the line's own: a reader searches by these.
    record[reserved.has(key) || key.startsWith("error.") ? `fields.${key}` : key] = entries[key] as Json;
  }
}
