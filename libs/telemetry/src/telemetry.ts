import type { Fields, Logger } from "./logger.ts";
import type { Metrics } from "./metrics.ts";
import type { Tracer } from "./tracer.ts";

/**
 * The logs, traces and metrics of a process. Created in `main.ts` and passed on: it is not global.
 * Disposing flushes.
 */
export interface Telemetry extends AsyncDisposable {
  readonly logger: Logger;
  /**
   * Writes a line with the message "audit" at any level of the log. Other lines cannot crowd it
   * out. Returns false while its reader is too slow even for such lines.
   */
  readonly audit: (fields: Fields) => boolean;
  readonly tracer: Tracer;
  readonly metrics: Metrics;
}
