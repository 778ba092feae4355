import type { StreamFormat } from "./format.ts";

/**
 * A JSON object a line, as grpc-gateway writes streams: `{"result": ...}` or a last `{"error": ...}`. A stream that ends
 * early ends without a word, so a reader that wants to know asks for events.
 */
export const ndjson: StreamFormat = {
  contentType: "application/x-ndjson",
  open: () => "",
  message: (json) => `{"result":${json}}\n`,
  heartbeat: "\n",
  failure: (problem) => `{"error":${problem}}\n`,
  end: "",
  again: () => "",
};
