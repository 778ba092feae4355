import { type FSWatcher, watch } from "node:fs";
import { readFile } from "node:fs/promises";
import { dirname } from "node:path";
import { onAbort } from "@plumbline/concurrency";

const usualPollMs = 2_000;

/**
 * Yields when the content of the file may be another, and once at the start. It watches the folder, not the file: editors
 * replace a file by renaming, and Kubernetes swaps the link `..data` beside it, both of which leave a watch on the file
 * with the old one. What no event tells (network and shared file systems, links that lead elsewhere, a folder that comes
 * later) is found by reading the file every two seconds: of a ConfigMap not even the time of change can be trusted.
 */
export async function* fileChanges(path: string, signal: AbortSignal, pollMs = usualPollMs): AsyncIterable<void> {
  let last: string | undefined;
  while (!signal.aborted) {
    using next = new NextEvent(dirname(path), pollMs, signal); // Before reading, so that nothing falls between.
    const content = await contentOf(path);
    if (signal.aborted) return;
    if (content !== last) {
      last = content;
      yield;
    }
    await next.happened;
  }
}

/** The next event in a folder, or the next time to look anyway. Neither keeps the process alive. */
class NextEvent implements Disposable {
  readonly happened: Promise<void>;
  readonly #watcher: FSWatcher | undefined;
  readonly #timer: NodeJS.Timeout;
  readonly #abort: Disposable;

  constructor(folder: string, pollMs: number, signal: AbortSignal) {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.happened = promise;
    this.#timer = setTimeout(resolve, pollMs).unref();
    this.#abort = onAbort(signal, resolve);
    try {
      this.#watcher = watch(folder, { persistent: false }, () => resolve());
      this.#watcher.on("error", () => {}); // The folder went away: the timer finds what comes after.
    } catch {
      // No such folder yet, or no more watches to be had: the timer alone will do.
    }
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#watcher?.close();
    this.#abort[Symbol.dispose]();
  }
}

async function contentOf(path: string): Promise<string> {
  try {
    return `content ${await readFile(path, "utf8")}`;
  } catch (error) {
    return `error ${String(error)}`;
  }
}
