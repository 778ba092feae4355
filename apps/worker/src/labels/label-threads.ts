import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import { type Abortable, deadline, Pool } from "@plumbline/concurrency";
import type { Telemetry } from "@plumbline/telemetry";
import type { LabelContent } from "./draw-label.ts";
import { DrawingWorker } from "./drawing-worker.ts";
import { threadEntry } from "./thread-entry.ts";

export interface LabelThreadsOptions {
  /** The number of drawing threads. One for each core by default, which is also the most. */
  readonly threads?: number | undefined;
  /** The number of labels that may wait for a thread. The next is refused with PoolFullError. */
  readonly queue: number;
  /** The timeout of one label after its wait, including the start of a thread. */
  readonly timeoutMs: number;
  /** Starts the worker of a thread. Tests replace it. */
  readonly start?: () => Worker;
}

/**
 * The memory limit of one thread. A label takes a few megabytes, so more is a fault, which ends
 * only that thread.
 */
const resourceLimits = { maxOldGenerationSizeMb: 64, maxYoungGenerationSizeMb: 16 };

/**
 * Draws labels in worker threads, so that the event loop stays free. Threads start on demand and
 * are kept. A thread is ended if it crashes, or if its label times out or is cancelled: its job
 * rejects, and the next job starts a new thread. Disposing waits for accepted labels, then ends the
 * threads.
 */
export class LabelThreads implements AsyncDisposable {
  readonly #pool: Pool;
  readonly #concurrency: number;
  readonly #timeoutMs: number;
  readonly #start: () => Worker;
  readonly #idle: DrawingWorker[] = [];

  constructor(options: LabelThreadsOptions) {
    const cores = availableParallelism();
    const concurrency = Math.min(options.threads ?? cores, cores);
    this.#concurrency = concurrency;
    this.#pool = new Pool({ concurrency, queue: options.queue });
    this.#timeoutMs = options.timeoutMs;
    this.#start = options.start ?? startWorker;
  }

  /** Registers gauges of the pool, which are read at each scrape. */
  observe({ metrics }: Pick<Telemetry, "metrics">): void {
    const gauge = (name: string, help: string, read: () => number) => metrics.gauge(name, help, []).observe(read);
    gauge("label_threads_running", "Threads that draw a label.", () => this.#pool.running);
    gauge("label_threads_limit", "Threads that may draw at once.", () => this.#concurrency);
    gauge("label_threads_waiting", "Labels that wait for a thread.", () => this.#pool.queued);
  }

  /**
   * Returns the label as a PNG. Rejects with PoolFullError, the signal's reason, a TimeoutError, or
   * `internal` if drawing failed.
   */
  draw(content: LabelContent, options: Abortable = {}): Promise<Uint8Array> {
    return this.#pool.run(async () => {
      using limit = deadline(this.#timeoutMs, options);
      limit.signal.throwIfAborted();
      const thread = this.#take();
      try {
        const label = await thread.draw(content, limit.signal);
        this.#idle.push(thread);
        return label;
      } catch (error) {
        // A busy thread cannot be stopped otherwise, and the state of a failed one is unknown.
        await thread.end();
        throw error;
      }
    }, options);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#pool.close();
    await Promise.all(this.#idle.splice(0).map((thread) => thread.end()));
  }

  /**
   * Returns the thread that was used last, because it is warm, or a new one if none is idle. Drops
   * threads that have ended.
   */
  #take(): DrawingWorker {
    for (let thread = this.#idle.pop(); thread !== undefined; thread = this.#idle.pop()) {
      if (thread.isUsable) return thread;
    }
    return new DrawingWorker(this.#start());
  }
}

function startWorker(): Worker {
  const { url, execArgv } = threadEntry(import.meta.url);
  // Without the environment: drawing needs no settings, and must not see the database password.
  return new Worker(url, { execArgv, env: {}, resourceLimits });
}
