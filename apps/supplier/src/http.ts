import type { IncomingMessage, ServerResponse } from "node:http";

/** An error response, sent as problem details (RFC 9457). */
export class Problem extends Error {
  override readonly name = "Problem";
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, detail: string, headers: Readonly<Record<string, string>> = {}) {
    super(detail);
    this.status = status;
    this.headers = headers;
  }
}

/** Reads the body as JSON. Throws a Problem: 413 above `maxBytes`, 400 if it is not JSON. */
export async function readJson(request: IncomingMessage, maxBytes: number): Promise<unknown> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    // The connection closes after this response: the rest of the body is not read.
    if (length > maxBytes) throw new Problem(413, `the body is larger than ${maxBytes} bytes`, { connection: "close" });
    chunks.push(chunk);
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString());
  } catch {
    throw new Problem(400, "the body is not JSON");
  }
}

export function sendJson(response: ServerResponse, status: number, body: unknown): void {
  send(response, status, "application/json", body);
}

export function sendProblem(response: ServerResponse, problem: Problem): void {
  for (const [name, value] of Object.entries(problem.headers)) response.setHeader(name, value);
  send(response, problem.status, "application/problem+json", { status: problem.status, detail: problem.message });
}

function send(response: ServerResponse, status: number, contentType: string, body: unknown): void {
  if (response.destroyed) return;
  const text = JSON.stringify(body);
  response.writeHead(status, { "content-type": contentType, "content-length": Buffer.byteLength(text) }).end(text);
}
