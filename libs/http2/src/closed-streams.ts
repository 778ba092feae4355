/**
 * The streams that closed last, and how: frames that were on their way when we reset one are ignored, those that come after
 * the peer had ended one are its error (RFC 9113, 5.1). It remembers a fixed number; for older ones the answer is "unknown".
 */
export class ClosedStreams {
  readonly #ids = new Uint32Array(256);
  readonly #wasResetByUs = new Uint8Array(256);
  #next = 0;

  add(id: number, wasResetByUs: boolean): void {
    this.#ids[this.#next] = id;
    this.#wasResetByUs[this.#next] = wasResetByUs ? 1 : 0;
    this.#next = (this.#next + 1) & 255;
  }

  /** Only looked up for frames that should not have come, so a search will do. */
  find(id: number): "reset by us" | "closed" | "unknown" {
    const at = this.#ids.indexOf(id);
    if (at < 0) return "unknown";
    return this.#wasResetByUs[at] === 1 ? "reset by us" : "closed";
  }
}
