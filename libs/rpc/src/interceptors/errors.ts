import { isServiceError } from "@plumbline/errors";
import type { ServerCall } from "../call.ts";
import { withCode } from "../status.ts";
import type { Interceptor } from "./interceptor.ts";

/**
 * Gives every error a code. One that a handler threw without a code becomes `internal`, with the
 * original as its cause.
 */
export const errors: Interceptor<ServerCall> = async (call, next) => {
  try {
    await next(call);
  } catch (error) {
    // An awaited operation rejects with "aborted". The reason of the abort says more.
    const cause = call.signal.aborted && !isServiceError(error) ? call.signal.reason : error;
    throw isServiceError(cause) ? cause : withCode(cause);
  }
};
