import type { StreamFormat } from "./format.ts";

/**
 * Server-Sent Events (WHATWG HTML, 9.2). A message is an event without a name, so `onmessage` receives it. `event: end` says
 * that all is told: the client closes. An end without it, as on every broken connection, means: come again with the last id.
 */
export const sse: StreamFormat = {
  contentType: "text/event-stream",
  open: (retryMs) => `retry: ${retryMs}\n\n`,
  // No JSON text that JSON.stringify writes has a line break in it.
  message: (json, id) => `${id === undefined || /[\0\r\n]/.test(id) ? "" : `id: ${id}\n`}data: ${json}\n\n`,
  heartbeat: ": heartbeat\n\n",
  failure: (problem) => `event: error\ndata: ${problem}\n\n`,
  end: "event: end\ndata: {}\n\n",
  again: (retryMs) => `retry: ${retryMs}\n: come again\n\n`,
};
