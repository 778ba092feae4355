import { Budget } from "./budget.ts";
import { ConnectionError, ErrorCode } from "./error-code.ts";

/**
 * What a peer may do that costs us more than it. Who does work earns it back, so that work is never mistaken for a flood; past
 * it the methods throw the `ConnectionError` that ends the connection.
 */
export class Floods {
  /** Control frames, empty frames, unknown ones. Every frame that carries something earns some back. */
  readonly #idleFrames = new Budget({ burst: 2_000, perSecond: 200 });
  /** Streams reset before their end ("rapid reset", CVE-2023-44487); those that end in order earn some back. */
  readonly #resets = new Budget({ burst: 1_000, perSecond: 100 });

  /** A frame came that carries nothing. */
  idleFrame(): void {
    if (this.#idleFrames.spend()) return;
    throw new ConnectionError(ErrorCode.enhanceYourCalm, "too many frames that carry nothing");
  }

  /** A frame came that carries something. */
  workCame(): void {
    this.#idleFrames.earn();
  }

  /** Data was sent. It may be answered by two WINDOW_UPDATEs, and some peers ping to measure the way. */
  workSent(): void {
    this.#idleFrames.earn(2);
  }

  /** A stream was reset, by the peer or because of it. */
  streamReset(): void {
    if (this.#resets.spend()) return;
    throw new ConnectionError(ErrorCode.enhanceYourCalm, "too many streams that are reset");
  }

  /** A stream ended in order. */
  streamEnded(): void {
    this.#resets.earn();
  }
}
