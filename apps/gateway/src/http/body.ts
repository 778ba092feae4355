import type { IncomingMessage } from "node:http";
import { ServiceError } from "@plumbline/errors";

/** A body that is too large is answered at once and then read on this far, so that the client gets to see the answer. */
const drainBytes = 16 * 1024 * 1024;

export const noBody = new Uint8Array(0);

export function hasBody({ headers }: IncomingMessage): boolean {
  return (headers["content-length"] ?? "0") !== "0" || headers["transfer-encoding"] !== undefined;
}

/**
 * The whole body, at most `maxBytes`. Throws ServiceError: BODY_TOO_LARGE, or UNSUPPORTED_MEDIA_TYPE when there is a body
 * and it is not plain application/json. How long a body may take is bounded by the server's requestTimeout.
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
  request.once("close", () => reject(new DOMException("the client hung up", "AbortError")));
  await promise;
  // After reading: a body of no bytes has no type that could be wrong.
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
  if (type !== "application/json" || (charset !== undefined && charset !== "utf-8")) {
    throw unsupported(
      `The body must be application/json in UTF-8${type === "" ? "; no Content-Type was given" : `, not ${type.slice(0, 64)}`}.`,
    );
  }
  const encoding = headers["content-encoding"];
  if (encoding !== undefined && encoding.toLowerCase() !== "identity")
    throw unsupported("A compressed body is not read.");
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
  return new ServiceError("out_of_range", `The body is larger than ${maxBytes} bytes.`, { reason: "BODY_TOO_LARGE" });
}
