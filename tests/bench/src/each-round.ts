import { Progress } from "@plumbline/tools-stack/command";
import { interrupted } from "./interruption.ts";

/**
 * Yields the numbers of the rounds, and shows on standard error which one runs. Throws if the bench
 * was interrupted.
 */
export function* eachRound(rounds: number, what: string, first = 0): Generator<number> {
  using progress = new Progress(process.stderr, process.env, 5_000);
  for (let round = first; round < rounds; round++) {
    interrupted.throwIfAborted();
    progress.show(`${what}: round ${Math.max(0, round) + 1} of ${rounds}`, { now: round === first });
    yield round;
  }
}
