import type { Logger } from "@plumbline/telemetry";
import type { Middleware } from "../broker.ts";

/**
 * Logs each delivery that was handled. A delivery that fails is logged where it is redelivered,
 * retried or dead-lettered.
 */
export function logged(logger: Logger): Middleware {
  return (next) => async (delivery) => {
    const started = performance.now();
    await next(delivery);
    const { topic, group, attempt, message } = delivery;
    logger.info("message handled", {
      topic,
      group,
      type: message.type,
      id: message.id,
      attempt,
      duration_ms: Math.round(performance.now() - started),
    });
  };
}
