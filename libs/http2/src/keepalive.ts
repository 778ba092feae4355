export interface KeepaliveOptions {
  /** The time of silence after which the peer is pinged. */
  readonly intervalMs: number;
  /** The time of silence after the ping. */
  readonly timeoutMs: number;
}

interface Actions {
  /** Returns true while silence matters. */
  readonly isWanted: () => boolean;
  readonly ask: () => void;
  readonly giveUp: () => void;
}

/** A check of silent peers: it pings them, and gives them up if they stay silent. */
export class Keepalive implements Disposable {
  readonly #options: KeepaliveOptions;
  readonly #isWanted: () => boolean;
  readonly #ask: () => void;
  readonly #giveUp: () => void;
  #heard = false;
  #isAsked = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: KeepaliveOptions, on: Actions) {
    this.#options = options;
    this.#isWanted = on.isWanted;
    this.#ask = on.ask;
    this.#giveUp = on.giveUp;
    this.#wait();
  }

  /**
   * Records a read from the peer. It runs for every read, so it only sets a flag unless a ping is
   * pending.
   */
  received(): void {
    this.#heard = true;
    if (!this.#isAsked) return;
    clearTimeout(this.#timer);
    this.#wait();
  }

  #wait(): void {
    this.#heard = false;
    this.#isAsked = false;
    this.#timer = setTimeout(() => {
      if (this.#heard || !this.#isWanted()) return this.#wait();
      this.#isAsked = true;
      this.#timer = setTimeout(() => this.#giveUp(), this.#options.timeoutMs).unref();
      this.#ask();
    }, this.#options.intervalMs).unref();
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }
}
