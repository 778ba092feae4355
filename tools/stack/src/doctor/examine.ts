import { type Check, checks, Missing } from "./checks.ts";
import type { Machine } from "./machine.ts";

export interface Finding {
  readonly name: string;
  readonly state: "ok" | "missing" | "optional";
  readonly found: string;
  readonly neededFor: string;
  /** The advice, where it is not ok. */
  readonly fix?: string;
}

/** Runs every check, all at once. */
export async function examine(machine: Machine, all: readonly Check[] = checks): Promise<Finding[]> {
  return await Promise.all(
    all.map(async ({ name, neededFor, required, look }) => {
      try {
        return { name, state: "ok" as const, found: await look(machine), neededFor };
      } catch (error) {
        const state = required ? ("missing" as const) : ("optional" as const);
        if (error instanceof Missing) return { name, state, found: error.message, neededFor, fix: error.fix };
        const found = error instanceof Error ? error.message : String(error);
        return { name, state, found, neededFor, fix: "run it by hand to see why" };
      }
    }),
  );
}

/** Returns true when everything that `npm start` needs is there. */
export function isHealthy(findings: readonly Finding[]): boolean {
  return findings.every(({ state }) => state !== "missing");
}
