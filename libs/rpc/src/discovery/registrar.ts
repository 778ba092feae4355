import type { Abortable } from "@plumbline/concurrency";
import type { Address } from "./address.ts";

/** A server that others shall find. */
export interface Registration {
  /** The name that clients resolve, such as "orders". */
  readonly service: string;
  /** Unique among the instances of the service. */
  readonly id: string;
  /** The address that clients connect to. */
  readonly address: Address;
  /** The ops port, whose `/readyz` a registry may ask; 503 there takes the server out. */
  readonly ops?: Address | undefined;
}

/** A registry of servers, for places where no platform keeps one. */
export interface Registrar {
  /**
   * Registers the server, and again whenever the registry has lost it. Resolves once it is
   * registered; rejects with `unavailable` if it cannot be within the deadline of the signal.
   * Disposing removes it, within a few seconds at most. It never throws: the registry drops a
   * server that is not renewed.
   */
  register(registration: Registration, options?: Abortable): Promise<AsyncDisposable>;
}
