import type { Logger } from "./logger.ts";
import type { Metrics } from "./metrics.ts";
import type { Tracer } from "./tracer.ts";

/** What a process says about itself. Made once in `main.ts` and handed down: nothing here is global. Disposing flushes. */
export interface Telemetry extends AsyncDisposable {
  readonly logger: Logger;
  readonly tracer: Tracer;
  readonly metrics: Metrics;
}
