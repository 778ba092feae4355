import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import { type Abortable, deadline, Pool } from "@plumbline/concurrency";
import type { Telemetry } from "@plumbline/telemetry";
import type { LabelContent } from "./draw-label.ts";
import { DrawingWorker } from "./drawing-worker.ts";
import { threadEntry } from "./thread-entry.ts";

export interface LabelThreadsOptions {
  /** How many threads draw at once. One for each core by default, which is also the most. */
  readonly threads?: number | undefined;
  /** How many labels may wait for a thread. The next is refused with PoolFullError. */
  readonly queue: number;
  /** For one label, from its turn on, the start of a thread included. */
  readonly timeoutMs: number;
  /** Starts the worker of a thread. Tests pass one of their own. */
  readonly start?: () => Worker;
}

/** What one thread may hold: a label takes a few megabytes, so more is a fault, and it ends that thread alone. */
const resourceLimits = { maxOldGenerationSizeMb: 64, maxYoungGenerationSizeMb: 16 };

/**
 * Draws labels in worker threads, so that the event loop stays free. Threads start when first needed and are kept. A
 * thread that crashes, or whose label is late or not wanted any more, is ended: its job rejects, and the next job starts
 * a new one. Disposing waits for the labels it accepted, then ends the threads.
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

  /** How full the pool is, read at each scrape, until the telemetry ends. */
  observe({ metrics }: Pick<Telemetry, "metrics">): void {
    const gauge = (name: string, help: string, read: () => number) => metrics.gauge(name, help, []).observe(read);
    gauge("label_threads_running", "Threads that draw a label.", () => this.#pool.running);
    gauge("label_threads_limit", "Threads that may draw at once.", () => this.#concurrency);
    gauge("label_threads_waiting", "Labels that wait for a thread.", () => this.#pool.queued);
  }

  /** The label as a PNG. Throws PoolFullError, the signal's reason, a TimeoutError, or `internal` where drawing failed. */
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
        // Nothing else stops a thread that is busy, and what is left of one that failed is anyone's guess.
        await thread.end();
        throw error;
      }
    }, options);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#pool.close();
    await Promise.all(this.#idle.splice(0).map((thread) => thread.end()));
  }

  /** The thread used last, as it is warm; a new one where none is idle. Those that ended meanwhile are forgotten. */
  #take(): DrawingWorker {
    for (let thread = this.#idle.pop(); thread !== undefined; thread = this.#idle.pop()) {
      if (thread.isUsable) return thread;
    }
    return new DrawingWorker(this.#start());
  }
}

function startWorker(): Worker {
  const { url, execArgv } = threadEntry(import.meta.url);
  // Nothing of the environment: drawing needs no settings, least of all the password of the database.
  return new Worker(url, { execArgv, env: {}, resourceLimits });
}
