/** What a line says beside its message. Values may be anything: what is written is bounded (see `printable`). */
export type Fields = Readonly<Record<string, unknown>>;

/**
 * Structured lines. A message is constant ("order placed") and its values are fields, so that lines can be counted by
 * message. Logging never throws and never waits.
 */
export interface Logger {
  debug(message: string, fields?: Fields): void;
  info(message: string, fields?: Fields): void;
  warn(message: string, fields?: Fields): void;
  /** `error` is whatever was caught: its type, message, stack and causes become fields. */
  error(message: string, error?: unknown, fields?: Fields): void;
  /** A logger whose every line has `fields` too. */
  child(fields: Fields): Logger;
}

export const logLevels = ["debug", "info", "warn", "error"] as const;
export type LogLevel = (typeof logLevels)[number];
