/**
 * The streams that closed last, and the cause. Frames in flight when we reset a stream are ignored.
 * Frames after the peer has ended one are its error (RFC 9113, 5.1). A fixed number is remembered;
 * older ones are "unknown".
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

  /** Searches linearly, since it only runs for frames on closed streams. */
  find(id: number): "reset by us" | "closed" | "unknown" {
    const at = this.#ids.indexOf(id);
    if (at < 0) return "unknown";
    return this.#wasResetByUs[at] === 1 ? "reset by us" : "closed";
  }
}
