import { type FSWatcher, watch } from "node:fs";
import { dirname } from "node:path";
import { derive, Event, onAbort } from "@plumbline/concurrency";
import { readBounded } from "./read-bounded.ts";

const usualPollMs = 2_000;
/** No source reads more. Larger files all look alike. */
const maxBytes = 1024 * 1024;

/**
 * Yields at the start and when the content of the file has changed. It watches the folder, not the
 * file, since editors rename a new file into place and Kubernetes swaps the link `..data`, and a
 * watch on the file would stay with the old one. Some changes cause no event: on network file
 * systems, behind links to other folders, in a folder created later. So the file is also read every
 * two seconds. Its modification time is not enough, since a ConfigMap may keep it.
 */
export async function* fileChanges(path: string, signal: AbortSignal, pollMs = usualPollMs): AsyncIterable<void> {
  let last: string | undefined;
  while (!signal.aborted) {
    using next = new NextEvent(dirname(path), pollMs, signal); // Before reading, so that no change is missed.
    const content = await contentOf(path);
    if (signal.aborted) return;
    if (content !== last) {
      last = content;
      yield;
    }
    await next.happened;
  }
}

/** Yields at the start and when the content of one of the files has changed. */
export async function* anyFileChanges(paths: readonly string[], signal: AbortSignal): AsyncIterable<void> {
  using scope = derive({ signal });
  const changed = new Event();
  const watchers = paths.map(async (path) => {
    for await (const _ of fileChanges(path, scope.signal)) changed.set();
  });
  try {
    yield;
    while (paths.length > 0) {
      await changed.wait(scope);
      yield;
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    scope.abort();
    await Promise.all(watchers);
  }
}

/** The next event in a folder or the next poll. Neither keeps the process alive. */
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
      this.#watcher.on("error", () => {}); // The folder was removed. The timer finds later changes.
    } catch {
      // No such folder, or no watch left. The timer is enough.
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
    return `content ${(await readBounded(path, maxBytes))?.toString() ?? "too large"}`;
  } catch (error) {
    return `error ${String(error)}`;
  }
}
