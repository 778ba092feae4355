/**
 * The intervals of the events beside the calls. They are shorter in a run of seconds, so that it
 * has all of them too.
 */
export interface Pace {
  /** The time between two replacements of a replica. */
  readonly replaceMs: number;
  readonly connectionAgeMs: number;
  /** The flaky server is up for two of these, then down for one. */
  readonly flakyMs: number;
  /** The time between two short-lived clients. */
  readonly rebornMs: number;
  /** The time between two lost connections, and between two silent ones. */
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
