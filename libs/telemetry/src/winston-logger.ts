import winston from "winston";
import { errorFields } from "./error-fields.ts";
import { type Destination, Lines } from "./lines.ts";
import type { Fields, Logger, LogLevel } from "./logger.ts";
import { type Json, newBudget, printable } from "./printable.ts";

export interface LoggerOptions {
  readonly service: string;
  readonly level: LogLevel;
  readonly destination: Destination;
  /** The ids of the active span. */
  readonly current: () => { readonly traceId: string; readonly spanId: string } | undefined;
}

const levels = { error: 0, warn: 1, info: 2, debug: 3 } as const;
const finished = Symbol.for("message");

/** JSON lines through winston. `flush` resolves when all of them have left the process. */
export function winstonLogger(options: LoggerOptions): {
  readonly logger: Logger;
  readonly flush: () => Promise<void>;
} {
  const head = (level: LogLevel, message: Json): Record<string, Json> => ({
    time: new Date().toISOString(),
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
    // winston drops a record with `exception: true` and rewrites one with a `message` field (winstonjs/winston#1739),
    // so ours travels inside its record and becomes the line here, untouched.
    format: winston.format((info) => ({ ...info, [finished]: JSON.stringify(info["record"]) }))(),
    transports: [new winston.transports.Stream({ stream: lines, eol: "\n" })],
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
    addFields(record, bound, budget);
    addFields(record, fields, budget);
    sink.log({ level, message, record });
  };

  return { logger: bind(write, {}), flush: () => lines.flush() };
}

type Write = (level: LogLevel, message: string, bound: Fields, fields: Fields, error?: unknown) => void;

function bind(write: Write, bound: Fields): Logger {
  return {
    debug: (message, fields = {}) => write("debug", message, bound, fields),
    info: (message, fields = {}) => write("info", message, bound, fields),
    warn: (message, fields = {}) => write("warn", message, bound, fields),
    error: (message, error, fields = {}) => write("error", message, bound, fields, error),
    child: (fields) => bind(write, { ...bound, ...fields }),
  };
}

const reserved = new Set(["time", "level", "service", "message", "trace_id", "span_id"]);

function addFields(record: Record<string, Json>, fields: Fields, budget: ReturnType<typeof newBudget>): void {
  const copied = printable(fields, budget);
  if (typeof copied !== "object" || copied === null) return;
  for (const [key, value] of Object.entries(copied)) {
    // A field may not pass itself off as the line's own: a reader searches by these.
    record[reserved.has(key) || key.startsWith("error.") ? `fields.${key}` : key] = value;
  }
}
