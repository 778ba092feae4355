export interface KeepaliveOptions {
  /** How long a connection may be silent before it is asked. */
  readonly intervalMs: number;
  /** How long it may be silent after that. */
  readonly timeoutMs: number;
}

interface Actions {
  /** Whether silence matters now. */
  readonly isWanted: () => boolean;
  readonly ask: () => void;
  readonly giveUp: () => void;
}

/** Asks a silent peer whether it is still there, and gives it up when it stays silent. */
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

  /** Something came from the peer. Called for every read, so it only takes a note, unless the peer was asked. */
  heard(): void {
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
