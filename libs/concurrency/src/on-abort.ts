/**
 * Calls `callback` once when `signal` aborts, at once if it has; disposing takes it back. Where many wait on one
 * long-lived signal use this rather than `addEventListener`: there a signal's listeners are a list that each add and
 * remove walks, so ten thousand waiters cost their square. Here each costs the same, and the signal has one listener.
 */
export function onAbort(signal: AbortSignal | undefined, callback: () => void): Disposable {
  if (signal === undefined) return detached;
  if (signal.aborted) {
    callback();
    return detached;
  }
  const entry = { callback };
  const waiting = watch(signal);
  waiting.add(entry);
  return {
    [Symbol.dispose]() {
      // The last to go takes the listener along: while it has one, Node keeps a composed signal from being collected.
      if (waiting.delete(entry) && waiting.size === 0) unwatch(signal);
    },
  };
}

const detached: Disposable = { [Symbol.dispose]() {} };

type Entries = Set<{ readonly callback: () => void }>;
const watched = new WeakMap<AbortSignal, { readonly entries: Entries; readonly listener: () => void }>();

function watch(signal: AbortSignal): Entries {
  const known = watched.get(signal);
  if (known !== undefined) return known.entries;
  const entries: Entries = new Set();
  const listener = (): void => {
    watched.delete(signal);
    // A callback may detach others while we go round: a Set skips what was deleted.
    for (const entry of entries) {
      entries.delete(entry);
      try {
        entry.callback();
      } catch (error) {
        // As an event listener's: it ends the process as uncaught, and the others are called all the same.
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  };
  watched.set(signal, { entries, listener });
  signal.addEventListener("abort", listener, { once: true });
  return entries;
}

function unwatch(signal: AbortSignal): void {
  const known = watched.get(signal);
  if (known === undefined) return;
  watched.delete(signal);
  signal.removeEventListener("abort", known.listener);
}
