import { maxWindow } from "./frames/types.ts";

/**
 * The octets that we may still send. It can be negative: a smaller initial window takes granted
 * octets back.
 */
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

  /** Returns false if the window would exceed its maximum, which is the peer's error. */
  grant(octets: number): boolean {
    this.#size += octets;
    return this.#size <= maxWindow;
  }
}

/**
 * The octets that the peer may still send. Received octets must fit, and are granted again when
 * they are consumed, so the window bounds the unread octets. Grants are held back until they reach
 * half of it, or each small message would cost a frame.
 */
export class ReceiveWindow {
  readonly #max: number;
  #left: number;
  #consumed = 0;

  constructor(max: number) {
    this.#max = max;
    this.#left = max;
  }

  /** Returns false if the peer has sent more than it was granted. */
  receive(octets: number): boolean {
    this.#left -= octets;
    return this.#left >= 0;
  }

  /** Returns the octets to grant in a WINDOW_UPDATE now; 0 for none yet. */
  consume(octets: number): number {
    this.#consumed += octets;
    if (this.#consumed < this.#max >>> 1) return 0;
    const grant = this.#consumed;
    this.#consumed = 0;
    this.#left += grant;
    return grant;
  }
}
