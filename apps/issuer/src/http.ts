import type { IncomingMessage, ServerResponse } from "node:http";

/** An error response: JSON with `error` and `error_description` (RFC 6749, section 5.2). */
export class Refusal extends Error {
  override readonly name = "Refusal";
  readonly status: number;
  readonly code: string;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, code: string, detail: string, headers: Readonly<Record<string, string>> = {}) {
    super(detail);
    this.status = status;
    this.code = code;
    this.headers = headers;
  }
}

/** Reads the body as a form. Throws a Refusal: 413 above `maxBytes`, 400 for another type. */
export async function readForm(request: IncomingMessage, maxBytes: number): Promise<URLSearchParams> {
  const type = request.headers["content-type"]?.split(";", 1)[0]?.trim().toLowerCase();
  if (type !== "application/x-www-form-urlencoded") {
    throw new Refusal(400, "invalid_request", "the body must be application/x-www-form-urlencoded");
  }
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    // The connection closes after this response: the rest of the body is not read.
    if (length > maxBytes) {
      throw new Refusal(413, "invalid_request", `the body is larger than ${maxBytes} bytes`, { connection: "close" });
    }
    chunks.push(chunk);
  }
  return new URLSearchParams(Buffer.concat(chunks).toString());
}

/**
 * Sends an object as JSON, or a text as it is. Most answers hold a token, so nothing may be cached.
 */
export function send(response: ServerResponse, status: number, body: string | object): void {
  if (response.destroyed) return;
  const isText = typeof body === "string";
  const text = isText ? body : JSON.stringify(body);
  response.writeHead(status, {
    "content-type": isText ? "text/plain" : "application/json",
    "content-length": Buffer.byteLength(text),
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
  });
  response.end(text);
}

export function sendRefusal(response: ServerResponse, { status, code, message, headers }: Refusal): void {
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  send(response, status, { error: code, error_description: message });
}
