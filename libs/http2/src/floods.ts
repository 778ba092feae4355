import { Budget } from "./budget.ts";
import { ConnectionError, ErrorCode } from "./error-code.ts";

/**
 * The budgets of a peer for actions that cost us more than it. Useful work refills them, so that it
 * is never treated as a flood. Past a budget the methods throw the `ConnectionError` that ends the
 * connection.
 */
export class Floods {
  /** Control frames, empty frames, unknown frames. Every frame with content refills it. */
  readonly #idleFrames = new Budget({ burst: 2_000, perSecond: 200 });
  /**
   * Streams reset before their end ("rapid reset", CVE-2023-44487). Streams that end in order
   * refill it.
   */
  readonly #resets: Budget;
  readonly #isTrusted: boolean;

  constructor(isTrusted = false) {
    this.#isTrusted = isTrusted;
    this.#resets = new Budget(isTrusted ? { burst: 10_000, perSecond: 1_000 } : { burst: 1_000, perSecond: 100 });
  }

  /** Records a received frame without content. */
  idleFrame(): void {
    if (this.#idleFrames.spend()) return;
    throw new ConnectionError(ErrorCode.enhanceYourCalm, "too many frames without content");
  }

  /** Records a received frame with content. */
  workCame(): void {
    this.#idleFrames.earn();
  }

  /**
   * Records sent data. It may cause two WINDOW_UPDATEs, and some peers ping to measure the round
   * trip.
   */
  workSent(): void {
    this.#idleFrames.earn(2);
  }

  /**
   * Records a stream that was reset by the peer or because of it. A trusted peer speaks for many
   * clients: its connection is never ended for what one of them does.
   */
  streamReset(): void {
    if (this.#resets.spend() || this.#isTrusted) return;
    throw new ConnectionError(ErrorCode.enhanceYourCalm, "too many reset streams");
  }

  /**
   * Returns the time for which frames of a trusted peer are not read, so that it stays within its
   * budget of resets; 0 while it is within.
   */
  get pauseMs(): number {
    return this.#resets.owedMs;
  }

  /** Records a stream that ended in order. */
  streamEnded(): void {
    this.#resets.earn();
  }
}
