import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import { FairSemaphore } from "@plumbline/concurrency";
import { ServiceError } from "@plumbline/errors";
import { HeaderField } from "@plumbline/http2";

/** The encodings of messages that this side reads. It sends identity only. */
export const acceptEncoding = new HeaderField("grpc-accept-encoding", "identity,gzip", { repeats: true });

/**
 * The messages that are inflated at once. They are few, because each may take the memory of the
 * largest message, and DNS and files use the same threads of Node.
 */
const inflations = new FairSemaphore({ permits: 2 });

const inflateAll = promisify(gunzip);

/**
 * Resolves with the content of a compressed message, which other threads inflate. Shares, the
 * clients of a server, take turns by the octets that they send. Rejects with `resource_exhausted`
 * once more than `maxBytes` have come out, and with `internal` if the message is not gzip.
 */
export async function inflate(message: Uint8Array, maxBytes: number, share: string): Promise<Uint8Array> {
  using _permit = await inflations.acquire({ share, cost: Math.max(1, message.length) });
  try {
    return await inflateAll(message, { maxOutputLength: maxBytes });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ERR_BUFFER_TOO_LARGE") {
      throw new ServiceError("internal", "a compressed message is no gzip that can be read", { cause: error });
    }
    const text = `a compressed message of more than the ${maxBytes} bytes allowed`;
    throw new ServiceError("resource_exhausted", text, { cause: error });
  }
}
