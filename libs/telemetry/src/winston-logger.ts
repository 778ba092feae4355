import winston from "winston";
import Transport from "winston-transport";
import { errorFields } from "./error-fields.ts";
import { addFields, none, quoted } from "./field-text.ts";
import { type Destination, Lines, type LostReader } from "./lines.ts";
import type { Fields, Logger, LogLevel } from "./logger.ts";
import { type Budget, newBudget, printable } from "./printable.ts";

export interface LoggerOptions {
  readonly service: string;
  readonly level: LogLevel;
  readonly destination: Destination;
  /** Receives each written line, one JSON object, to send it to a second destination. */
  readonly forward?: ((level: LogLevel, line: string) => void) | undefined;
  /** The ids of the active span, in hexadecimal. */
  readonly current: () => { readonly traceId: string; readonly spanId: string } | undefined;
}

// The symbols of triple-beam, under which winston's transports find the level and the finished
// line.
const LEVEL = Symbol.for("level");
const MESSAGE = Symbol.for("message");

const levels = { error: 0, warn: 1, info: 2, debug: 3 } as const;

/**
 * Returns a logger of JSON lines through winston. `flush` resolves when all have left the process.
 */
export function winstonLogger(options: LoggerOptions): {
  readonly logger: Logger;
  readonly audit: (fields: Fields) => boolean;
  readonly flush: () => Promise<void>;
  /** Sets a function that is called for each line that is dropped. */
  readonly onDropped: (callback: (reader: LostReader) => void) => void;
} {
  const service = JSON.stringify(options.service);
  const heads = {
    debug: `","level":"debug","service":${service},"message":`,
    info: `","level":"info","service":${service},"message":`,
    warn: `","level":"warn","service":${service},"message":`,
    error: `","level":"error","service":${service},"message":`,
  };
  const head = (level: LogLevel, message: string): string => `{"time":"${now()}${heads[level]}${message}`;
  const lines = new Lines(
    options.destination,
    (dropped) => `${head("warn", '"log lines were dropped: their reader is too slow"')},"lines":${dropped}}`,
  );
  const sink = winston.createLogger({
    levels,
    level: options.level,
    format: { transform: (info) => info },
    transports: [new LineTransport(lines)],
  });

  const ids = (): string => {
    const active = options.current();
    return active === undefined ? "" : `,"trace_id":"${active.traceId}","span_id":"${active.spanId}"`;
  };

  const write: Write = (level, message, bound, fields, error) => {
    if (levels[level] > levels[options.level]) return; // Before any work, since most debug lines are never written.
    const budget = newBudget();
    let line = head(level, messageText(message, budget)) + ids();
    // The error before the fields, so that a full line has it.
    if (error !== undefined) line += `,${JSON.stringify(errorFields(error, budget)).slice(1, -1)}`;
    if (bound !== none) line = addFields(line, bound, budget);
    if (fields !== none) line = addFields(line, fields, budget, bound);
    line += "}";
    sink.write({ level, message: line, [LEVEL]: level, [MESSAGE]: line });
    options.forward?.(level, line);
  };

  const audit = (fields: Fields): boolean => {
    const line = `${addFields(head("info", '"audit"') + ids(), fields, newBudget())}}`;
    const isWritten = lines.writeAudit(`${line}\n`);
    if (isWritten) options.forward?.("info", line);
    return isWritten;
  };

  return {
    logger: bind(write, none),
    audit,
    flush: () => lines.flush(),
    onDropped: (callback) => {
      lines.onDropped = callback;
    },
  };
}

/** The last stage of winston's pipe. */
class LineTransport extends Transport {
  readonly #lines: Lines;

  constructor(lines: Lines) {
    super();
    this.#lines = lines;
  }

  override log(info: Readonly<Record<symbol, string>>, next: () => void): void {
    this.#lines.write(`${info[MESSAGE]}\n`);
    next(); // At once, since lines that wait here would be queued in front without bound.
  }
}

/** Returns the message as JSON. It may be no text, since types do not hold at run time. */
function messageText(message: unknown, budget: Budget): string {
  if (typeof message !== "string") return JSON.stringify(printable(message, budget));
  budget.values--;
  return quoted(message, budget);
}

let stamp = { at: 0, text: "" };

/**
 * Returns the time in ISO 8601. Lines of one millisecond share the text, which costs as much as a
 * field.
 */
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
