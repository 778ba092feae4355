import { codeOf, isServiceError } from "@plumbline/errors";

/** How calls of one kind may end. */
export interface Expected {
  /** Each of these is seen, or the soak has not shown what it should. */
  readonly must: readonly string[];
  /** These may be seen too: a stream ends as `unavailable` when its server drains, say. */
  readonly may?: readonly string[] | undefined;
}

export type Counts = Readonly<Record<string, Readonly<Record<string, number>>>>;

/** Why a call was given up, by the side that made it. */
export const givenUp = new Error("given up");

/** Counts how the calls of each kind end. */
export class Outcomes {
  readonly #expected: Readonly<Record<string, Expected>>;
  readonly #counts: Record<string, Record<string, number>> = {};
  /** Of the outcomes nobody expected the first, with all there is to know. */
  readonly surprises: string[] = [];
  total = 0;
  /** Calls that were due and not made. */
  heldBack = 0;
  /** Calls that have not ended. */
  running = 0;

  constructor(expected: Readonly<Record<string, Expected>>) {
    this.#expected = expected;
  }

  get counts(): Counts {
    return this.#counts;
  }

  /** Makes a call and counts its end: "ok", what it resolves with, or how it fails. Never rejects. */
  async count(kind: string, call: () => Promise<string | void>): Promise<void> {
    this.running++;
    let error: unknown;
    const outcome = await call().then(
      (label) => label ?? "ok",
      (reason: unknown) => {
        error = reason;
        return outcomeOf(reason);
      },
    );
    this.running--;
    this.total++;
    const of = (this.#counts[kind] ??= {});
    of[outcome] = (of[outcome] ?? 0) + 1;
    const { must = [], may = [] } = this.#expected[kind] ?? {};
    if (must.includes(outcome) || may.includes(outcome) || this.surprises.length >= 20) return;
    this.surprises.push(`${kind}: ${outcome}${error instanceof Error ? `\n${error.stack}` : ""}`);
  }
}

function outcomeOf(error: unknown): string {
  if (error === givenUp) return "given up";
  if (isServiceError(error)) return codeOf(error);
  return error instanceof Error ? `${error.name}: ${error.message}`.slice(0, 100) : String(error);
}

/** A sentence for each outcome that is not expected, and for each that was and did not come. */
export function problemsOf(counts: Counts, expected: Readonly<Record<string, Expected>>): string[] {
  return Object.entries(expected).flatMap(([kind, { must, may = [] }]) => {
    const seen = counts[kind] ?? {};
    const unknown = Object.keys(seen).filter((outcome) => !must.includes(outcome) && !may.includes(outcome));
    return [
      ...unknown.map((outcome) => `${kind}: ${seen[outcome]} times ${outcome}`),
      ...must.filter((outcome) => seen[outcome] === undefined).map((outcome) => `${kind}: never ${outcome}`),
    ];
  });
}
