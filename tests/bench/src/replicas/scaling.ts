export interface ReplicasOptions {
  readonly rounds: number;
  readonly ms: number;
  readonly json: string | undefined;
}

/** What one replica and two of them completed, round by round. */
export interface Scaling {
  readonly name: string;
  readonly unit: string;
  readonly one: readonly Shared[];
  readonly two: readonly Shared[];
}

export interface Shared {
  readonly perSecond: number;
  /** Cores the replicas took together, of 1. */
  readonly cores: number;
  /** Cores of who called them. */
  readonly callerCores: number;
}

/** Of one core, for each replica: so that two have cores of their own where there are two for everything. */
export const share = 0.4;
