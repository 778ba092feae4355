import { randomUUIDv7 } from "node:crypto";

/** What a caller may send: long enough for any id in use, and nothing that could end a header or a log's line. */
const sane = /^[\w.:=+/@~-]{1,128}$/;

/** The caller's `X-Request-Id` if it is sane; else a new UUIDv7, whose order is that of time. */
export function requestIdOf(header: string | undefined): string {
  return header !== undefined && sane.test(header) ? header : randomUUIDv7();
}
