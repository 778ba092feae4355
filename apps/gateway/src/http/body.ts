import type { IncomingMessage } from "node:http";
import { ServiceError } from "@plumbline/errors";

/**
 * A body that is too large is refused at once, then read this far, so that the client sees the
 * response.
 */
const drainBytes = 16 * 1024 * 1024;

/** The body of a request without one. */
export const noBody = new Uint8Array(0);

/** Returns true if the headers announce a body. */
export function hasBody({ headers }: IncomingMessage): boolean {
  return (headers["content-length"] ?? "0") !== "0" || headers["transfer-encoding"] !== undefined;
}

/**
 * Reads the whole body, at most `maxBytes`. Throws ServiceError BODY_TOO_LARGE, or
 * UNSUPPORTED_MEDIA_TYPE for a body that is not plain application/json. The server's requestTimeout
 * bounds the time that a body may take.
 */
export async function readBody(request: IncomingMessage, maxBytes: number): Promise<Uint8Array> {
  const declared = Number(request.headers["content-length"] ?? 0);
  if (declared > maxBytes) throw tooLarge(request, maxBytes);

  const chunks: Buffer[] = [];
  let size = 0;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  request.on("data", (chunk: Buffer) => {
    size += chunk.length;
    if (size <= maxBytes) chunks.push(chunk);
    else reject(tooLarge(request, maxBytes));
  });
  request.once("end", resolve);
  request.once("close", () => reject(new DOMException("the client disconnected", "AbortError")));
  await promise;
  // Checked after reading: an empty body needs no type.
  if (size > 0) checkType(request);
  return Buffer.concat(chunks, size);
}

function checkType({ headers }: IncomingMessage): void {
  const [type = "", ...parameters] = (headers["content-type"] ?? "")
    .toLowerCase()
    .split(";")
    .map((part) => part.trim());
  const charset = parameters
    .find((parameter) => parameter.startsWith("charset="))
    ?.slice("charset=".length)
    .replaceAll('"', "");
  if (type !== "application/json") {
    throw unsupported(`Content-Type must be application/json; it is ${type === "" ? "missing" : type.slice(0, 64)}.`);
  }
  if (charset !== undefined && charset !== "utf-8") {
    throw unsupported(`The charset of Content-Type must be utf-8; it is ${charset.slice(0, 64)}.`);
  }
  const encoding = headers["content-encoding"];
  if (encoding !== undefined && encoding.toLowerCase() !== "identity")
    throw unsupported(`Content-Encoding must be absent; it is ${encoding.slice(0, 64)}. Send the body uncompressed.`);
}

function unsupported(message: string): ServiceError {
  return new ServiceError("invalid_argument", message, { reason: "UNSUPPORTED_MEDIA_TYPE" });
}

function tooLarge(request: IncomingMessage, maxBytes: number): ServiceError {
  let left = drainBytes;
  request.removeAllListeners("data").on("data", (chunk: Buffer) => {
    left -= chunk.length;
    if (left < 0) request.destroy();
  });
  return new ServiceError("out_of_range", `The body is larger than the limit of ${maxBytes} bytes.`, {
    reason: "BODY_TOO_LARGE",
  });
}
