import { type Code, codeOf } from "@plumbline/errors";
import type { Logger } from "@plumbline/telemetry";
import type { ServerCall } from "../call.ts";
import type { Interceptor } from "./interceptor.ts";

/** Codes of bugs: the line has the error and its cause, which the caller never sees. */
const bugCodes: ReadonlySet<Code> = new Set<Code>(["internal", "unknown", "data_loss"]);
/** Codes of a dependency or server that is slow, down or full. */
const degradedCodes: ReadonlySet<Code> = new Set<Code>(["unavailable", "deadline_exceeded", "resource_exhausted"]);

/**
 * Logs one line per call when it ends. Successful health checks are at `debug`, since orchestrators
 * send them every few seconds.
 */
export function logging(logger: Logger): Interceptor<ServerCall> {
  return async (call, next) => {
    const start = performance.now();
    const fields = (code: string): Record<string, unknown> => ({
      method: call.method,
      code,
      durationMs: Math.round((performance.now() - start) * 1000) / 1000,
      peer: call.peer,
      ...(call.caller !== undefined && { caller: call.caller }),
    });
    try {
      await next(call);
    } catch (error) {
      const code = codeOf(error);
      if (bugCodes.has(code)) logger.error("call failed", error, fields(code));
      else if (degradedCodes.has(code)) logger.warn("call", { ...fields(code), detail: (error as Error).message });
      else logger.info("call", fields(code));
      throw error;
    }
    if (call.method.startsWith("grpc.health.")) logger.debug("call", fields("ok"));
    else logger.info("call", fields("ok"));
  };
}
