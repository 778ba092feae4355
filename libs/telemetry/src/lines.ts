/** The destination of the lines: `process.stdout`, or a stream of a test. */
export type Destination = NodeJS.WritableStream & { readonly writableLength?: number };

/**
 * The most bytes that wait for a slow reader. Further lines are dropped, and their count is logged
 * afterwards.
 */
const maxWaitingBytes = 4 * 1024 * 1024;
/** The bytes beyond those that only lines of the audit log may take. */
const auditBytes = 1024 * 1024;

/** The reason for which a reader gets no more lines. */
export type LostReader = "slow" | "closed";

/**
 * The writer of log lines. Each line is written at once. A log must not stop a service, so a slow
 * reader costs lines instead of memory, and a closed pipe (EPIPE) costs all lines but not the
 * process.
 *
 * It is not a stream, since lines that wait here would be queued in front of it without bound.
 */
export class Lines {
  readonly #destination: Destination;
  #dropped = 0;
  /** Called for each line that is dropped. */
  onDropped: ((reader: LostReader) => void) | undefined;
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

  /** Writes `line`, which must end with a newline. */
  write(line: string): void {
    if (this.#broken) return this.onDropped?.("closed");
    if ((this.#destination.writableLength ?? 0) > maxWaitingBytes) {
      this.#dropped++;
      this.onDropped?.("slow");
    } else this.#destination.write(line);
  }

  /** Writes a line of the audit log. Returns false if there is no room: its writer keeps it. */
  writeAudit(line: string): boolean {
    if (this.#broken || (this.#destination.writableLength ?? 0) > maxWaitingBytes + auditBytes) return false;
    this.#destination.write(line);
    return true;
  }

  /** Resolves when all lines written so far have left the process, or cannot. */
  flush(): Promise<void> {
    if (this.#broken || this.#destination.writable === false) return Promise.resolve();
    return new Promise((resolve) => {
      this.#destination.once("error", () => resolve());
      this.#destination.write("", () => resolve());
    });
  }
}
