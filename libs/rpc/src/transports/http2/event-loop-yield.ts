import { setImmediate as nextTurn } from "node:timers/promises";

/**
 * The messages that one stream sends in a row: they take less than a millisecond and leave in one
 * write.
 */
const messages = 64;

/**
 * A yield to the event loop after a run of messages of one stream. Small messages that are all at
 * hand never wait for anything else: until 256 KiB of them fill a window, no timer would fire and
 * no other call be served.
 */
export class EventLoopYield {
  #sent = 0;

  /** Resolves when the next message may be sent: at once, or in the next turn of the event loop. */
  async next(): Promise<void> {
    if (++this.#sent < messages) return;
    this.#sent = 0;
    await nextTurn();
  }
}
