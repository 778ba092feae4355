import { isServiceError } from "@plumbline/errors";
import type { ServerCall } from "../call.ts";
import { nameless } from "../status.ts";
import type { Interceptor } from "./interceptor.ts";

/** Names every error: what a handler threw without a name becomes `internal`, with the original as its cause. */
export const errors: Interceptor<ServerCall> = async (call, next) => {
  try {
    await next(call);
  } catch (error) {
    // Rejections of whatever the handler awaited say "aborted"; why it was aborted is the better answer.
    const cause = call.signal.aborted && !isServiceError(error) ? call.signal.reason : error;
    throw isServiceError(cause) ? cause : nameless(cause);
  }
};
