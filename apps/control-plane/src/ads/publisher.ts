import { Event } from "@plumbline/concurrency";
import { createLedger, type Ledger, type Snapshot } from "@plumbline/xds";

/** The ledger of all streams, and the events that wake them when it changes. */
export interface Publisher {
  readonly ledger: Ledger;
  put(snapshot: Snapshot): void;
  /** Wakes every stream if the ledger has changed since the last call. */
  notify(): void;
  /** Returns an event that is set at each change, until it is disposed. */
  subscribe(): { readonly changed: Event } & Disposable;
}

export function createPublisher(): Publisher {
  const ledger = createLedger();
  const events = new Set<Event>();
  let known = ledger.revision;
  function notify(): void {
    if (ledger.revision === known) return;
    known = ledger.revision;
    for (const event of events) event.set();
  }
  return {
    ledger,
    put(snapshot) {
      ledger.put(snapshot);
      notify();
    },
    notify,
    subscribe() {
      const changed = new Event();
      events.add(changed);
      return { changed, [Symbol.dispose]: () => void events.delete(changed) };
    },
  };
}
