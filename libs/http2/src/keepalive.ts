export interface KeepaliveOptions {
  /** The time from one answered ping to the next. */
  readonly intervalMs: number;
  /** The time of silence after the ping. */
  readonly timeoutMs: number;
}

interface Actions {
  /** Returns true while it matters that the peer is there. */
  readonly isWanted: () => boolean;
  readonly ask: () => void;
  readonly giveUp: () => void;
}

/**
 * A check that a peer is there. It pings once per interval, also while frames arrive: they say
 * nothing about the other direction. A ping that is due while nothing wants the peer is sent as
 * soon as something does.
 *
 * A peer that is silent after a ping is given up after the timeout. A peer that sends but does not
 * answer the ping is given up after twice the timeout, because the answer may be behind data.
 */
export class Keepalive implements Disposable {
  readonly #options: KeepaliveOptions;
  readonly #isWanted: () => boolean;
  readonly #ask: () => void;
  readonly #giveUp: () => void;
  #state: "waiting" | "due" | "asked" = "waiting";
  #hasReceived = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: KeepaliveOptions, on: Actions) {
    this.#options = options;
    this.#isWanted = on.isWanted;
    this.#ask = on.ask;
    this.#giveUp = on.giveUp;
    this.#wait();
  }

  /** Records a read from the peer. It runs for every read, so it only sets a flag. */
  received(): void {
    this.#hasReceived = true;
  }

  /** Records the answer to the ping. */
  answered(): void {
    if (this.#state !== "asked") return;
    clearTimeout(this.#timer);
    this.#wait();
  }

  /** Records that the peer is wanted from now on. */
  wanted(): void {
    if (this.#state === "due") this.#ping();
  }

  #wait(): void {
    this.#state = "waiting";
    this.#timer = setTimeout(() => {
      if (this.#isWanted()) this.#ping();
      else this.#state = "due";
    }, this.#options.intervalMs).unref();
  }

  #ping(): void {
    const { timeoutMs } = this.#options;
    this.#state = "asked";
    this.#hasReceived = false;
    this.#timer = setTimeout(() => {
      if (!this.#hasReceived) return this.#giveUp();
      this.#timer = setTimeout(() => this.#giveUp(), timeoutMs).unref();
    }, timeoutMs).unref();
    this.#ask();
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }
}
