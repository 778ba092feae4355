import type { Message } from "./message.ts";

/**
 * The columns that hold a message in a table, in the order of `rowValues`. Each table names the
 * column of the id itself.
 */
export const messageColumns = "source, type, key, time, content_type, data, headers";

/** A row with these columns, as PostgreSQL returns it. */
export interface MessageRow {
  readonly source: string;
  readonly type: string;
  readonly key: string;
  readonly time: Date;
  readonly content_type: string;
  readonly data: Buffer;
  readonly headers: Record<string, string>;
}

/** Returns the message of a row. */
export function messageOf(id: string, row: MessageRow): Message {
  const { source, type, key, time, content_type: contentType, data, headers } = row;
  return { id, source, type, key, time, contentType, data, headers };
}

/** Returns a message's values for `messageColumns`. The headers are JSON text. */
export function rowValues({ source, type, key, time, contentType, data, headers }: Message): readonly unknown[] {
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  return [source, type, key, time, contentType, bytes, JSON.stringify(headers)];
}
