import { setImmediate as nextTurn } from "node:timers/promises";

/** Few enough to be over in a millisecond, many enough to cost nothing and to leave in one write. */
const messages = 64;

/**
 * The share that one stream has of a turn of the event loop. Where all its messages are at hand and small, nothing else would
 * make it wait: until a window of 256 KiB is full of messages of a few octets, no timer fires and no other call is served.
 */
export class EventLoopYield {
  #sent = 0;

  /** Resolves when the next message may be sent: at once, or in the next turn. */
  async next(): Promise<void> {
    if (++this.#sent < messages) return;
    this.#sent = 0;
    await nextTurn();
  }
}
