import type { Worker } from "node:worker_threads";
import { onAbort } from "@plumbline/concurrency";
import { ServiceError } from "@plumbline/errors";
import type { LabelContent } from "./draw-label.ts";

/** A worker thread that draws one label at a time. */
export class DrawingWorker {
  readonly #worker: Worker;
  #job: PromiseWithResolvers<Uint8Array> | undefined;
  #isUsable = true;

  constructor(worker: Worker) {
    this.#worker = worker;
    worker.on("message", (label: Uint8Array) => this.#job?.resolve(label));
    worker.on("messageerror", (error: unknown) => this.#fail(error));
    worker.on("error", (error: unknown) => this.#fail(error));
    worker.on("exit", (code: number) => this.#fail(new Error(`the label thread ended with code ${code}`)));
  }

  /** False after it has crashed or ended, busy or not. */
  get isUsable(): boolean {
    return this.#isUsable;
  }

  /**
   * Draws a label. Rejects with the signal's reason, or with `internal` if the thread threw,
   * crashed or ended.
   */
  async draw(content: LabelContent, signal: AbortSignal): Promise<Uint8Array> {
    const job = Promise.withResolvers<Uint8Array>();
    this.#job = job;
    using _link = onAbort(signal, () => job.reject(signal.reason));
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- that is for windows; this is a thread
    if (this.#isUsable) this.#worker.postMessage(content);
    else this.#fail(new Error("the label thread has ended"));
    try {
      return await job.promise;
    } finally {
      this.#job = undefined;
    }
  }

  /** Ends the thread, busy or not. */
  async end(): Promise<void> {
    this.#isUsable = false;
    await this.#worker.terminate();
  }

  #fail(cause: unknown): void {
    this.#isUsable = false;
    this.#job?.reject(new ServiceError("internal", "the label could not be drawn", { cause }));
  }
}
