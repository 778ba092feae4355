/** Where the lines go: `process.stdout`, or a stream of a test. */
export type Destination = NodeJS.WritableStream & { readonly writableLength?: number };

/** How much may wait for a slow reader. Past it lines are dropped, counted, and the count is logged once it reads again. */
const maxWaitingBytes = 4 * 1024 * 1024;

/**
 * The end of the log: every line is written at once. A log must not be what stops a service, so a reader that is
 * slow costs lines instead of memory, and one that is gone (EPIPE) costs all of them but not the process.
 *
 * Not a stream: what waits here would be queued without bound before us.
 */
export class Lines {
  readonly #destination: Destination;
  #dropped = 0;
  #broken = false;

  constructor(destination: Destination, dropped: (lines: number) => string) {
    this.#destination = destination;
    // Without a listener the error event would be thrown as an uncaught exception.
    destination.on("error", () => {
      this.#broken = true;
    });
    destination.on("drain", () => {
      if (this.#dropped === 0) return;
      const lines = this.#dropped;
      this.#dropped = 0;
      destination.write(`${dropped(lines)}\n`);
    });
  }

  /** `line` ends with its newline. */
  write(line: string): void {
    if (this.#broken) return;
    if ((this.#destination.writableLength ?? 0) > maxWaitingBytes) this.#dropped++;
    else this.#destination.write(line);
  }

  /** Resolves when everything written so far has left the process, or never will. */
  flush(): Promise<void> {
    if (this.#broken || this.#destination.writable === false) return Promise.resolve();
    return new Promise((resolve) => {
      this.#destination.once("error", () => resolve());
      this.#destination.write("", () => resolve());
    });
  }
}
