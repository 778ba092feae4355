import type { Principal } from "./principal.ts";

export interface Denied {
  /** The subjects whose tokens are refused: at most 1,000. */
  readonly subjects?: readonly string[];
  /** Tokens that were issued before this time are refused. Milliseconds since the epoch. */
  readonly issuedBeforeMs?: number;
}

const maxSubjects = 1_000;

/**
 * The tokens that are refused although they are valid. A change holds from the next call of
 * `denies`, for cached tokens too, and it calls the watchers of principals that it denies.
 */
export class DenyList {
  readonly #watchers = new Set<Watcher>();
  #subjects: ReadonlySet<string> = new Set();
  #issuedBeforeMs = Number.NEGATIVE_INFINITY;

  constructor(denied: Denied = {}) {
    this.set(denied);
  }

  /** Replaces the list. Throws a RangeError for more than 1,000 subjects and keeps the old list. */
  set({ subjects = [], issuedBeforeMs = Number.NEGATIVE_INFINITY }: Denied): void {
    if (subjects.length > maxSubjects) {
      throw new RangeError(`${subjects.length} denied subjects: at most ${maxSubjects} are allowed; use issuedBefore`);
    }
    if (Number.isNaN(issuedBeforeMs)) throw new RangeError("issuedBefore must be a time");
    this.#subjects = new Set(subjects);
    this.#issuedBeforeMs = issuedBeforeMs;
    for (const watcher of this.#watchers) {
      if (this.denies(watcher.principal) && this.#watchers.delete(watcher)) watcher.onDenied();
    }
  }

  denies({ subject, issuedMs }: Principal): boolean {
    return issuedMs < this.#issuedBeforeMs || this.#subjects.has(subject);
  }

  /**
   * Calls `onDenied` once when the principal becomes denied, at once if it is. Open streams use it.
   * Disposing ends the watch.
   */
  watch(principal: Principal, onDenied: () => void): Disposable {
    const watcher = { principal, onDenied };
    if (this.denies(principal)) onDenied();
    else this.#watchers.add(watcher);
    return { [Symbol.dispose]: () => void this.#watchers.delete(watcher) };
  }
}

interface Watcher {
  readonly principal: Principal;
  readonly onDenied: () => void;
}
