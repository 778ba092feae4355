import { ServiceError } from "@plumbline/errors";

/**
 * The longest that a call waits for a free stream while it has a connection. A server that is slow
 * for everybody must not cost each caller its whole deadline.
 */
export const streamWaitMs = 1_000;

export function noFreeStream(authority: string): ServiceError {
  return new ServiceError(
    "unavailable",
    `no stream of the connections to ${authority} was free within ${streamWaitMs} ms`,
    { retryAfterMs: 100 },
  );
}
