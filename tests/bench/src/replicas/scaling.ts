import type { Watched } from "../pairs/surroundings.ts";

export interface ReplicasOptions {
  readonly rounds: number;
  readonly ms: number;
  readonly json: string | undefined;
}

/** The work that one replica and two completed, round by round. */
export interface Scaling {
  readonly name: string;
  readonly unit: string;
  readonly one: readonly Shared[];
  readonly two: readonly Shared[];
}

export interface Shared extends Watched {
  readonly perSecond: number;
  /** Cores that the replicas used together. */
  readonly cores: number;
  /** Cores that the callers used. */
  readonly callerCores: number;
}

/** The share of a core for each replica, so that two replicas and their caller fit on two cores. */
export const share = 0.4;
