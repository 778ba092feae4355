import { aborted, sleep } from "@plumbline/concurrency";
import type { Telemetry } from "@plumbline/telemetry";
import { keepRegistered, type Listening, type RegistrationSettings } from "./keep-registered.ts";
import type { OpsPort } from "./open-ops.ts";

/** A service whose resources are all open. */
export interface OpenService {
  readonly name: string;
  readonly ops: Pick<OpsPort, "health" | "port">;
  /** The port that its clients call. */
  readonly port: number;
  /** The carrier of its gRPC calls, for the log; that of `registered` if not given. */
  readonly transport?: string | undefined;
  /** The milliseconds that the service still serves after it has reported that it drains. */
  readonly drainMs: number;
  /** The registry in which its clients find it, and the settings of its server. */
  readonly registered?:
    | {
        readonly registration: RegistrationSettings;
        readonly rpc: Listening["rpc"] & { readonly transport?: string };
      }
    | undefined;
  /** Called when the drain begins. */
  readonly onDrain?: (() => void) | undefined;
  /**
   * Called when the drain begins and in its middle: asks clients with open connections to connect
   * again, so that they look for other servers while this one still serves.
   */
  readonly recycle?: (() => void) | undefined;
}

/**
 * Reports the service as ready, registers it where `registered` says, and waits for `signal`. Then
 * removes it from the registry, reports that it drains, and keeps serving for `drainMs`: clients
 * and load balancers need a moment to take it out. The removal takes two seconds at most.
 */
export async function serveUntilStopped(
  { name, ops, port, drainMs, registered, transport = registered?.rpc.transport, onDrain, recycle }: OpenService,
  { logger }: Pick<Telemetry, "logger">,
  { signal }: { readonly signal: AbortSignal },
): Promise<void> {
  await using registration =
    registered && (await keepRegistered(registered.registration, { name, ops, port, rpc: registered.rpc }, logger));
  ops.health.ready();
  logger.info(`${name} is listening`, { port, opsPort: ops.port, transport });
  await aborted(signal);
  await registration?.withdraw();
  ops.health.drain();
  onDrain?.();
  recycle?.();
  await sleep(drainMs / 2);
  // A cache of a name server may have answered with the old addresses the first time.
  recycle?.();
  await sleep(drainMs / 2);
}
