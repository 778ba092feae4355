/** A time, in milliseconds of the clock that all processes of a machine share. */
export interface Interval {
  readonly from: number;
  readonly to: number;
}

/** Something that may delay calls, and when it happened. */
export interface Cause {
  readonly name: string;
  readonly at: readonly Interval[];
}

export interface SlowCall {
  readonly due: number;
  readonly sent: number;
  readonly answered: number;
}

/** The slowest calls of a run, and the medians of all: sent after it was due, then answered. */
export interface Slow {
  readonly usualLate: number;
  readonly usualService: number;
  readonly calls: readonly SlowCall[];
}

export interface Explained {
  readonly cause: string;
  /** The calls of which it took the largest part. */
  readonly calls: number;
  /** The time that it took of all calls, beyond the usual. */
  readonly ms: number;
}

export const sentLate = "the caller sent it late";
export const nothingKnown = "nothing known";

/**
 * Divides the time that slow calls took beyond the usual among its causes. A moment with several
 * belongs to the first of `causes`. Time without a cause is the usual time of a call first,
 * and then `nothingKnown`.
 */
export function explain({ usualLate, usualService, calls }: Slow, causes: readonly Cause[]): Explained[] {
  const names = [sentLate, ...causes.map(({ name }) => name), nothingKnown];
  const found = new Map(names.map((cause) => [cause, { cause, calls: 0, ms: 0 }]));
  for (const call of calls) {
    const parts = partsOf(call, usualLate, usualService, causes);
    let largest = nothingKnown;
    for (const [cause, ms] of parts) {
      const sum = found.get(cause);
      if (sum !== undefined) sum.ms += ms;
      if (ms > (parts.get(largest) ?? 0)) largest = cause;
    }
    const sum = found.get(largest);
    if (sum !== undefined) sum.calls++;
  }
  return [...found.values()];
}

function partsOf(
  { due, sent, answered }: SlowCall,
  usualLate: number,
  usualService: number,
  causes: readonly Cause[],
): Map<string, number> {
  const beyond = Math.max(0, answered - sent - usualService);
  const parts = new Map<string, number>();
  let left: Interval[] = [{ from: sent, to: answered }];
  let known = 0;
  for (const { name, at } of causes) {
    const before = lengthOf(left);
    for (const interval of at) if (interval.from < answered && interval.to > sent) left = without(left, interval);
    const covered = before - lengthOf(left);
    parts.set(name, covered);
    known += covered;
  }
  // A cause may also cover what the call takes anyway.
  const share = known > beyond ? beyond / known : 1;
  for (const [name, ms] of parts) parts.set(name, ms * share);
  parts.set(sentLate, Math.max(0, sent - due - usualLate));
  parts.set(nothingKnown, Math.max(0, beyond - known));
  return parts;
}

function lengthOf(intervals: readonly Interval[]): number {
  return intervals.reduce((sum, { from, to }) => sum + to - from, 0);
}

function without(intervals: readonly Interval[], taken: Interval): Interval[] {
  return intervals.flatMap(({ from, to }) =>
    [
      { from, to: Math.min(to, taken.from) },
      { from: Math.max(from, taken.to), to },
    ].filter((one) => one.to > one.from),
  );
}
