import type { Logger } from "@plumbline/telemetry";

/** The time after which a start is worth a line, and again at each further one. */
const usualEveryMs = 3_000;

/**
 * Logs what a start waits for until disposed, so that a long wait is not silent. A short one logs
 * nothing.
 */
export function reportWait(what: string, logger: Pick<Logger, "warn">, everyMs = usualEveryMs): Disposable {
  const began = performance.now();
  const timer = setInterval(() => {
    logger.warn("the start waits", { for: what, waited_ms: Math.round(performance.now() - began) });
  }, everyMs);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}
