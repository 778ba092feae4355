import { type Abortable, deadline, onAbort, within } from "@plumbline/concurrency";

/** A call that resolves when the dependency answers. Its signal aborts at its deadline. */
export type Check = (options: Abortable) => Promise<unknown>;

/** The check of one dependency, repeated until the dependency was reached once. */
export class DependencyCheck {
  readonly name: string;
  readonly #check: Check;
  readonly #timeoutMs: number;
  readonly #onFailure: (error: unknown) => void;
  #reached = false;
  #running: Promise<void> | undefined;
  #lastFailure: string | undefined;

  constructor(name: string, check: Check, timeoutMs: number, onFailure: (error: unknown) => void) {
    this.name = name;
    this.#check = check;
    this.#timeoutMs = timeoutMs;
    this.#onFailure = onFailure;
  }

  get wasReached(): boolean {
    return this.#reached;
  }

  /**
   * Waits for the running check, or starts one. Returns false when it fails, times out or `signal`
   * aborts.
   */
  async reached({ signal }: Abortable): Promise<boolean> {
    if (this.#reached) return true;
    // One at a time: a probe each second must not pile up calls to a dependency that hangs.
    this.#running ??= this.#run();
    await within(this.#running, { ms: this.#timeoutMs, signal }).catch(() => undefined);
    return this.wasReached;
  }

  async #run(): Promise<void> {
    using limit = deadline(this.#timeoutMs);
    using _ = onAbort(limit.signal, () => this.#failed(limit.signal.reason));
    try {
      await this.#check({ signal: limit.signal });
      this.#reached = true;
    } catch (error) {
      this.#failed(error);
    } finally {
      this.#running = undefined;
    }
  }

  #failed(error: unknown): void {
    // Each reason once: probes come every second, and a log full of one line hides the others.
    const reason = String(error);
    if (reason === this.#lastFailure) return;
    this.#lastFailure = reason;
    this.#onFailure(error);
  }
}
