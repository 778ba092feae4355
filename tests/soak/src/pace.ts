/** How often what happens beside the calls happens. Faster in a run of seconds, so that it has everything in it too. */
export interface Pace {
  /** Between two replicas that are drained and replaced. */
  readonly replaceMs: number;
  readonly connectionAgeMs: number;
  /** The flaky server is there for two of these, then gone for one. */
  readonly flakyMs: number;
  /** Between two clients that are made, used and let go. */
  readonly rebornMs: number;
  /** Between two connections that are lost, and two whose other side falls silent. */
  readonly lossMs: number;
}

export function paceOf(totalMs: number): Pace {
  const scale = Math.min(1, totalMs / 120_000);
  const every = (ms: number): number => Math.max(50, ms * scale);
  return {
    replaceMs: every(7_000),
    connectionAgeMs: every(20_000),
    flakyMs: every(2_000),
    rebornMs: every(1_000),
    lossMs: every(5_000),
  };
}
