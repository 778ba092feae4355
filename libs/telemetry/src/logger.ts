/** The fields of a line. Values may be anything: the written text is bounded (see `printable`). */
export type Fields = Readonly<Record<string, unknown>>;

/**
 * A logger of structured lines. A message is constant ("order placed") and its values are fields,
 * so that lines can be counted by message. Logging never throws and never waits.
 */
export interface Logger {
  debug(message: string, fields?: Fields): void;
  info(message: string, fields?: Fields): void;
  warn(message: string, fields?: Fields): void;
  /** Logs any caught value as `error`: its type, message, stack and causes become fields. */
  error(message: string, error?: unknown, fields?: Fields): void;
  /** Returns a logger that adds `fields` to every line. */
  child(fields: Fields): Logger;
}

export const logLevels = ["debug", "info", "warn", "error"] as const;
export type LogLevel = (typeof logLevels)[number];
