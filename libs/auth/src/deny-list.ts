import type { Principal } from "./principal.ts";

export interface Denied {
  /** The subjects whose tokens are refused: at most 1,000. */
  readonly subjects?: readonly string[];
  /** The clients whose tokens are refused: at most 1,000. An API key is the client `plk_ID`. */
  readonly clients?: readonly string[];
  /** Tokens that were issued before this time are refused. Milliseconds since the epoch. */
  readonly issuedBeforeMs?: number;
}

const maxNames = 1_000;

/**
 * The tokens that are refused although they are valid. A change holds from the next call of
 * `denies`, for cached tokens too, and it calls the watchers of principals that it denies.
 */
export class DenyList {
  readonly #watchers = new Set<Watcher>();
  readonly #revoked = new WeakSet<Principal>();
  #subjects: ReadonlySet<string> = new Set();
  #clients: ReadonlySet<string> = new Set();
  #issuedBeforeMs = Number.NEGATIVE_INFINITY;

  constructor(denied: Denied = {}) {
    this.set(denied);
  }

  /**
   * Replaces the list. Throws a RangeError for more than 1,000 subjects or clients and keeps the
   * old list.
   */
  set({ subjects = [], clients = [], issuedBeforeMs = Number.NEGATIVE_INFINITY }: Denied): void {
    for (const [what, names] of Object.entries({ subjects, clients })) {
      if (names.length <= maxNames) continue;
      throw new RangeError(`${names.length} denied ${what}: at most ${maxNames} are allowed; use issuedBefore`);
    }
    if (Number.isNaN(issuedBeforeMs)) throw new RangeError("issuedBefore must be a time");
    this.#subjects = new Set(subjects);
    this.#clients = new Set(clients);
    this.#issuedBeforeMs = issuedBeforeMs;
    this.#callWatchers();
  }

  /** Denies this very object from now on, whatever the list is, such as that of a removed key. */
  revoke(principal: Principal): void {
    this.#revoked.add(principal);
    this.#callWatchers();
  }

  denies(principal: Principal): boolean {
    const { subject, client, issuedMs } = principal;
    if (issuedMs < this.#issuedBeforeMs || this.#subjects.has(subject) || this.#clients.has(client)) return true;
    return this.#revoked.has(principal);
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

  #callWatchers(): void {
    for (const watcher of this.#watchers) {
      if (this.denies(watcher.principal) && this.#watchers.delete(watcher)) watcher.onDenied();
    }
  }
}

interface Watcher {
  readonly principal: Principal;
  readonly onDenied: () => void;
}
