/**
 * The least age of a release. A release with a stolen account behind it is mostly taken back within
 * hours, so three days keep it out. Only releases that came into the lock file within these days
 * are asked about: the others are older than that.
 */
import type { Release } from "./lock.ts";
import { type Facts, NoAnswer } from "./registry.ts";

export const leastAgeDays = 3;

export interface AgeVerdict {
  readonly problems: readonly string[];
  readonly unchecked: readonly string[];
  readonly checked: number;
}

/** A memory of dates, which never change: the name and version, and the date. */
export type Dates = Map<string, string>;

/**
 * Checks the age of releases by the registry's dates. Stops asking after three releases in a row
 * without an answer, as there is no network then.
 */
export async function checkAges(
  releases: readonly Release[],
  ask: (release: Release) => Promise<Facts>,
  now: Date,
  dates: Dates = new Map(),
): Promise<AgeVerdict> {
  const problems: string[] = [];
  const undated: string[] = [];
  const unanswered: string[] = [];
  let inARow = 0;
  await inParallel(4, releases, async (release) => {
    const name = `${release.name}@${release.version}`;
    let released = dates.get(name);
    if (released === undefined) {
      if (inARow >= 3) {
        unanswered.push(name);
        return;
      }
      try {
        released = (await ask(release)).released?.toISOString();
        inARow = 0;
      } catch (error) {
        if (!(error instanceof NoAnswer)) throw error;
        inARow += 1;
        unanswered.push(name);
        return;
      }
    }
    if (released === undefined) {
      undated.push(name);
      return;
    }
    dates.set(name, released);
    const days = (now.getTime() - Date.parse(released)) / 86_400_000;
    if (days < leastAgeDays) {
      problems.push(
        `${name} was released ${days.toFixed(1)} days ago: take an older version, or wait until it is ${leastAgeDays} days old`,
      );
    }
  });
  return {
    problems: problems.toSorted(),
    unchecked: [
      ...(undated.length === 0 ? [] : [`the age of ${list(undated)}: the registry gives no date`]),
      ...(unanswered.length === 0 ? [] : [`the age of ${list(unanswered)}: the registry gave no answer`]),
    ],
    checked: releases.length - undated.length - unanswered.length,
  };
}

function list(names: readonly string[]): string {
  const sorted = names.toSorted();
  return sorted.length > 3 ? `${sorted.slice(0, 3).join(", ")} and ${sorted.length - 3} more` : sorted.join(", ");
}

/** Runs `work` for each item, a few at a time. */
export async function inParallel<T>(
  places: number,
  items: readonly T[],
  work: (item: T) => Promise<void>,
): Promise<void> {
  const rest = items.values();
  await Promise.all(
    Array.from({ length: places }, async () => {
      for (const item of rest) await work(item);
    }),
  );
}
