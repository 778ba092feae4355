import { ServiceError } from "@plumbline/errors";

/**
 * A bound on what runs at once. What comes above it is refused at once and not queued: a queue in front of a full service
 * only makes everyone late. `max` is asked each time, so it follows the settings.
 */
export class Admission {
  readonly #max: () => number;
  readonly #what: string;
  #running = 0;

  constructor(what: string, max: () => number) {
    this.#what = what;
    this.#max = max;
  }

  get running(): number {
    return this.#running;
  }

  /** A place, until disposed. Throws ServiceError unavailable (OVERLOADED) when all are taken. */
  enter(): Disposable {
    if (this.#running >= this.#max()) {
      throw new ServiceError("unavailable", `Too many ${this.#what} at once.`, {
        reason: "OVERLOADED",
        retryAfterMs: 1000,
      });
    }
    this.#running += 1;
    let held = true;
    return {
      [Symbol.dispose]: () => {
        if (held) this.#running -= 1;
        held = false;
      },
    };
  }
}
