import type { IncomingHttpHeaders } from "node:http";
import { ServiceError } from "@plumbline/errors";

/**
 * What travels to the service beside the message: `x-request-id` and `idempotency-key`. A closed list, as other headers are
 * between the client and the gateway. The trace's context is added where the call is made.
 * Throws ServiceError invalid_argument for an Idempotency-Key that is not 1 to 255 visible ASCII characters.
 */
export function metadataOf(headers: IncomingHttpHeaders, requestId: string): Record<string, string> {
  const key = headers["idempotency-key"];
  if (key === undefined) return { "x-request-id": requestId };
  if (typeof key !== "string" || !/^[\x21-\x7e]{1,255}$/.test(key)) {
    throw new ServiceError("invalid_argument", "Idempotency-Key is 1 to 255 visible ASCII characters.", {
      reason: "INVALID_HEADER",
    });
  }
  return { "x-request-id": requestId, "idempotency-key": key };
}
