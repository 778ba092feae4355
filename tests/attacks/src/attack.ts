/** The shape of an attack, and the system that it runs against. */

import type { Destination } from "./sockets.ts";

/** A service whose memory an attack looks at. */
export type Watched = "gateway" | "orders";

export interface Target {
  /** The port of the gateway on 127.0.0.1, and the others. */
  readonly ports: Readonly<Record<"gateway" | "gatewayOps" | "orders" | "ordersOps" | "supplier" | "postgres", number>>;
  /** Returns the resident memory of a service, in MiB. */
  readonly memory: (service: Watched) => number;
  /** Returns the spans' batches that the services have exported so far. */
  readonly exports: () => number;
}

export interface Outcome {
  /** The requests or connections of the attacker. */
  readonly sent: number;
  /** One line for the table. */
  readonly seen: string;
  /** One sentence for each thing that is not right; empty if the attack is repelled. */
  readonly misses: readonly string[];
}

export interface Attack {
  readonly name: string;
  /** The right outcome, for the page. */
  readonly right: string;
  /** Runs against the target: `full` with the numbers of the reproduction, or else fewer. */
  run(target: Target, full: boolean): Promise<Outcome>;
}

/**
 * The attacker's part of an attack on a gateway, without the other clients. It runs in a container
 * of its own too, where `given` is what the attack has prepared.
 */
export type Assault = (gateway: Destination, full: boolean, given?: string) => Promise<Outcome>;
