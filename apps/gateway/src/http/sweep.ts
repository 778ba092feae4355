/** The time between two rounds, in milliseconds. */
export const everyMs = 250;

/**
 * One timer for many things that may take too long. It runs while `round` returns true, and keeps
 * no process alive.
 */
export class Sweep {
  readonly #round: () => boolean;
  #timer: NodeJS.Timeout | undefined;

  constructor(round: () => boolean) {
    this.#round = round;
  }

  start(): void {
    this.#timer ??= setInterval(() => {
      if (this.#round()) return;
      clearInterval(this.#timer);
      this.#timer = undefined;
    }, everyMs).unref();
  }
}
