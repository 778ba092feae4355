import { type Abortable, deadline, onAbort } from "@plumbline/concurrency";

/** Resolves when the dependency answers. It is given a signal that aborts at its deadline. */
export type Check = (options: Abortable) => Promise<unknown>;

/** Remembers whether one dependency was ever reached, and asks it until then. */
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

  /** Waits for the check that is running, or starts one, until it ends, is late, or `signal` aborts. */
  async reached(options: Abortable): Promise<boolean> {
    if (this.#reached) return true;
    // One at a time: a probe each second of a dependency that hangs must not pile up calls to it.
    this.#running ??= this.#run();
    using limit = deadline(this.#timeoutMs, options);
    const late = Promise.withResolvers<void>();
    using _ = onAbort(limit.signal, late.resolve);
    await Promise.race([this.#running, late.promise]);
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
    // Of the same reason once: probes come every second, and a log full of one line hides the others.
    const reason = String(error);
    if (reason === this.#lastFailure) return;
    this.#lastFailure = reason;
    this.#onFailure(error);
  }
}
