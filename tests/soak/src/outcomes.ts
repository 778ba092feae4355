import { codeOf, isServiceError } from "@plumbline/errors";

/** The allowed outcomes of calls of one kind. */
export interface Expected {
  /** Each of these must be seen, or the soak proves too little. */
  readonly must: readonly string[];
  /** These may be seen too: for example, a stream ends as `unavailable` when its server drains. */
  readonly may?: readonly string[] | undefined;
}

export type Counts = Readonly<Record<string, Readonly<Record<string, number>>>>;

/** The abort reason of calls that the client cancels. */
export const givenUp = new Error("given up");

/** A count of the outcomes of each kind of calls. */
export class Outcomes {
  readonly #expected: Readonly<Record<string, Expected>>;
  readonly #began = performance.now();
  readonly #counts: Record<string, Record<string, number>> = {};
  /** The first unexpected outcomes, with their errors. */
  readonly surprises: string[] = [];
  total = 0;
  /** Due calls that were skipped. */
  heldBack = 0;
  /** Calls that have not ended. */
  running = 0;

  constructor(expected: Readonly<Record<string, Expected>>) {
    this.#expected = expected;
  }

  get counts(): Counts {
    return this.#counts;
  }

  /**
   * Makes a call and counts its outcome: "ok", the value that it resolves with, or its failure.
   * Never rejects.
   */
  async count(kind: string, call: () => Promise<string | void>): Promise<void> {
    this.running++;
    const began = performance.now();
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
    const now = performance.now();
    const when = `after ${((now - began) / 1_000).toFixed(1)} s, at minute ${((now - this.#began) / 60_000).toFixed(2)}`;
    this.surprises.push(`${kind}: ${outcome} ${when}${error instanceof Error ? `\n${error.stack}` : ""}`);
  }
}

function outcomeOf(error: unknown): string {
  if (error === givenUp) return "given up";
  if (isServiceError(error)) return codeOf(error);
  return error instanceof Error ? `${error.name}: ${error.message}`.slice(0, 100) : String(error);
}

/** Returns a sentence for each unexpected outcome, and for each expected one that was not seen. */
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
