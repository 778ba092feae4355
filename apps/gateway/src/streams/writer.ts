import { once } from "node:events";
import type { ServerResponse } from "node:http";
import { deadline } from "@plumbline/concurrency";

/**
 * Writes a response no faster than its client reads. A client that reads nothing for `stallMs` is
 * cut off, since it occupies a stream of the service.
 */
export class StreamWriter {
  readonly #response: ServerResponse;
  readonly #stallMs: number;

  constructor(response: ServerResponse, stallMs: number) {
    this.#response = response;
    this.#stallMs = stallMs;
  }

  /**
   * Resolves when the socket accepts more. Rejects with the signal's reason if it aborts before
   * that.
   */
  async write(text: string, signal: AbortSignal): Promise<void> {
    if (text === "" || this.#response.write(text)) return;
    using limit = deadline(this.#stallMs, { signal });
    try {
      await once(this.#response, "drain", { signal: limit.signal });
    } catch (error) {
      if (!signal.aborted) this.#response.destroy();
      throw signal.aborted ? signal.reason : error;
    }
  }

  /** Writes only if no data is waiting: data that waits keeps the connection alive as well. */
  writeIfIdle(text: string): void {
    if (!this.#response.writableNeedDrain) this.#response.write(text);
  }

  /** Ends the response. Data that the client does not read within `stallMs` is lost. */
  end(text: string): void {
    this.#response.end(text);
    const timer = setTimeout(() => this.#response.destroy(), this.#stallMs);
    timer.unref();
    this.#response.once("close", () => clearTimeout(timer));
  }
}
