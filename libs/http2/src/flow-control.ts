import { maxWindow } from "./frames/types.ts";

/** How much we may still send. It can be negative: a peer may take back what it had granted by a smaller initial window. */
export class SendWindow {
  #size: number;

  constructor(size: number) {
    this.#size = size;
  }

  get size(): number {
    return this.#size;
  }

  take(octets: number): void {
    this.#size -= octets;
  }

  /** False when the window would be larger than it may be: the peer's error. */
  grant(octets: number): boolean {
    this.#size += octets;
    return this.#size <= maxWindow;
  }
}

/**
 * How much the peer may still send: what it sends must fit, and is granted again when it has been consumed. So the window's
 * size bounds what is held unread. Grants are held back until they come to half of it, or each small message would cost
 * a frame.
 */
export class ReceiveWindow {
  readonly #max: number;
  #left: number;
  #consumed = 0;

  constructor(max: number) {
    this.#max = max;
    this.#left = max;
  }

  /** False when the peer has sent more than it was granted. */
  receive(octets: number): boolean {
    this.#left -= octets;
    return this.#left >= 0;
  }

  /** How much to grant in a WINDOW_UPDATE now; 0 for nothing yet. */
  consume(octets: number): number {
    this.#consumed += octets;
    if (this.#consumed < this.#max >>> 1) return 0;
    const grant = this.#consumed;
    this.#consumed = 0;
    this.#left += grant;
    return grant;
  }
}
