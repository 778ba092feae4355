import type { Logger } from "@plumbline/telemetry";
import type { Middleware } from "../broker.ts";

/** One line for each delivery that was handled. One that was not is logged where it is delivered again or given up. */
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
