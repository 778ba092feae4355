import { once } from "node:events";
import type { ServerResponse } from "node:http";
import { deadline } from "@plumbline/concurrency";

/**
 * Writes a response no faster than its client reads: `write` returns when the socket takes more. A client that takes
 * nothing for `stallMs` is cut off, as it holds a stream of the service.
 */
export class StreamWriter {
  readonly #response: ServerResponse;
  readonly #stallMs: number;

  constructor(response: ServerResponse, stallMs: number) {
    this.#response = response;
    this.#stallMs = stallMs;
  }

  /** Rejects with the signal's reason when it aborts while the client is slow. */
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

  /** Written when there is room, else left out: what is waiting keeps the connection alive as well. */
  writeIfIdle(text: string): void {
    if (!this.#response.writableNeedDrain) this.#response.write(text);
  }

  /** Ends the response. What the client does not take within `stallMs` is lost with the connection. */
  end(text: string): void {
    this.#response.end(text);
    const timer = setTimeout(() => this.#response.destroy(), this.#stallMs);
    timer.unref();
    this.#response.once("close", () => clearTimeout(timer));
  }
}
