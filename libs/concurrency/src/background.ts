/** Work that runs until its signal aborts, or ends earlier. */
export type BackgroundWork = (signal: AbortSignal) => Promise<unknown>;

export interface BackgroundOptions {
  /**
   * Receives the failure of work that was not asked to stop. By default it ends the process as an
   * uncaught exception.
   */
  readonly onFailure?: ((error: unknown) => void) | undefined;
}

/**
 * Starts `work` at once and returns the handle that ends it. Disposing aborts the work's signal and
 * waits until it has ended, so nothing it uses is closed under it:
 *
 *     await using _cleanup = background((signal) => deleteOldRows(database, { signal }));
 *
 * A failure after the abort is the abort's echo and is dropped; disposing never rejects. A failure
 * before it must not go unnoticed, since nothing awaits the work until it is disposed.
 */
export function background(work: BackgroundWork, { onFailure = crash }: BackgroundOptions = {}): AsyncDisposable {
  const stop = new AbortController();
  const run = async (): Promise<void> => {
    try {
      await work(stop.signal);
    } catch (error) {
      if (!stop.signal.aborted) onFailure(error);
    }
  };
  const ended = run();
  return {
    async [Symbol.asyncDispose]() {
      stop.abort();
      await ended;
    },
  };
}

function crash(error: unknown): void {
  queueMicrotask(() => {
    throw error;
  });
}
