import type { Attack, Outcome, Target } from "./attack.ts";

export interface Result extends Outcome {
  readonly attack: Pick<Attack, "name">;
  readonly seconds: number;
}

/** Runs one attack. One that throws counts as a miss. */
export async function runAttack(attack: Attack, target: Target, full: boolean): Promise<Result> {
  const began = performance.now();
  const outcome = await attack.run(target, full).catch((error: unknown): Outcome => {
    const message = error instanceof Error ? error.message : String(error);
    return { sent: 0, seen: "gave up", misses: [message] };
  });
  return { ...outcome, attack, seconds: (performance.now() - began) / 1_000 };
}
