import { aborted, sleep } from "@plumbline/concurrency";
import type { Telemetry } from "@plumbline/telemetry";
import type { OpsPort } from "./open-ops.ts";

/** A service whose resources are all open. */
export interface OpenService {
  readonly name: string;
  readonly ops: Pick<OpsPort, "health" | "port">;
  /** The port that its clients call. */
  readonly port: number;
  /** The milliseconds that the service still serves after it has reported that it drains. */
  readonly drainMs: number;
  /** Called when the drain begins. */
  readonly onDrain?: (() => void) | undefined;
}

/**
 * Reports the service as ready and waits for `signal`. Then reports that it drains, and keeps
 * serving for `drainMs`: load balancers need a moment to take it out.
 */
export async function serveUntilStopped(
  { name, ops, port, drainMs, onDrain }: OpenService,
  { logger }: Pick<Telemetry, "logger">,
  { signal }: { readonly signal: AbortSignal },
): Promise<void> {
  ops.health.ready();
  logger.info(`${name} is listening`, { port, opsPort: ops.port });
  await aborted(signal);
  ops.health.drain();
  onDrain?.();
  await sleep(drainMs);
}
