import type { Logger } from "./logger.ts";
import type { Metrics } from "./metrics.ts";
import type { Tracer } from "./tracer.ts";

/**
 * The logs, traces and metrics of a process. Created in `main.ts` and passed on: it is not global.
 * Disposing flushes.
 */
export interface Telemetry extends AsyncDisposable {
  readonly logger: Logger;
  readonly tracer: Tracer;
  readonly metrics: Metrics;
}
