import { ServiceError } from "@plumbline/errors";
import type { Request } from "express";

/** A way to write the messages of a stream: as events or as lines. */
export interface StreamFormat {
  readonly contentType: string;
  /** Returns the first bytes. */
  open(retryMs: number): string;
  message(json: string, id: string | undefined): string;
  /** Keeps proxies from closing an idle stream. */
  readonly heartbeat: string;
  /** Reports that the stream failed. `problem` is the JSON of a problem document. */
  failure(problem: string): string;
  /** Says that the service has ended the stream and nothing more follows. */
  readonly end: string;
  /** Says that the gateway ends the stream and the client should reconnect in `retryMs`. */
  reconnect(retryMs: number): string;
}

/**
 * Server-Sent Events (WHATWG HTML, 9.2). A message is an event without a name, so `onmessage` gets
 * it. `event: end` means that the stream is complete: the client closes. A stream that ends without
 * it, as after a broken connection, is to be continued from the last id.
 */
export const sse: StreamFormat = {
  contentType: "text/event-stream",
  open: (retryMs) => `retry: ${retryMs}\n\n`,
  // JSON.stringify never writes a line break.
  message: (json, id) => `${id === undefined || /[\0\r\n]/.test(id) ? "" : `id: ${id}\n`}data: ${json}\n\n`,
  heartbeat: ": heartbeat\n\n",
  failure: (problem) => `event: error\ndata: ${problem}\n\n`,
  end: "event: end\ndata: {}\n\n",
  reconnect: (retryMs) => `retry: ${retryMs}\n: reconnect\n\n`,
};

/**
 * One JSON object per line, as grpc-gateway writes streams: `{"result": ...}` or a last `{"error":
 * ...}`. A stream that ends early looks complete here; Server-Sent Events tell the two apart.
 */
export const ndjson: StreamFormat = {
  contentType: "application/x-ndjson",
  open: () => "",
  message: (json) => `{"result":${json}}\n`,
  heartbeat: "\n",
  failure: (problem) => `{"error":${problem}}\n`,
  end: "",
  reconnect: () => "",
};

/**
 * Chooses events unless `Accept` prefers lines. Throws ServiceError (NOT_ACCEPTABLE) if it allows
 * neither.
 */
export function chooseFormat(request: Request): StreamFormat {
  const type = request.accepts([sse.contentType, ndjson.contentType]);
  if (type === ndjson.contentType) return ndjson;
  if (type === sse.contentType) return sse;
  throw new ServiceError(
    "invalid_argument",
    `This path is a stream. Accept must allow ${sse.contentType} or ${ndjson.contentType}.`,
    { reason: "NOT_ACCEPTABLE" },
  );
}
