import { request as httpRequest, type IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";
import { type Abortable, deadline } from "@plumbline/concurrency";

export interface GetJsonOptions extends Abortable {
  /** The longest time of connecting, reading and all. */
  readonly ms: number;
  readonly maxBytes: number;
  /** The certificates to trust, in PEM. The default is those of Node. */
  readonly ca?: string | Buffer | undefined;
}

/**
 * Gets a JSON document. Rejects unless the status is 200: redirects are not followed. No
 * compression, no proxy, and a connection of its own that closes with the response.
 */
export async function getJson(url: URL, options: GetJsonOptions): Promise<unknown> {
  using limit = deadline(options.ms, { signal: options.signal });
  const { signal } = limit;
  const send = url.protocol === "https:" ? httpsRequest : httpRequest;
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const headers = { accept: "application/json, application/jwk-set+json", "accept-encoding": "identity" };
  const request = send(url, { agent: false, ca: options.ca, headers, maxHeaderSize: 16_384, signal });
  // Stays for the life of the request: an error after the response must not end the process.
  request.on("error", reject).on("response", resolve).end();
  try {
    const response = await promise;
    if (response.statusCode !== 200) throw new Error(`expected status 200, found ${response.statusCode}`);
    return parse(await read(response, options.maxBytes));
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    request.destroy();
  }
}

async function read(response: IncomingMessage, maxBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > maxBytes) throw new Error(`expected at most ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function parse(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString());
  } catch {
    throw new Error("expected JSON");
  }
}
