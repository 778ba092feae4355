import { type Abortable, Channel } from "@plumbline/concurrency";

export interface Notification {
  readonly payload: string;
  /**
   * True if notifications before this one may be lost. The payload is empty: read the data again.
   */
  readonly missed: boolean;
}

/**
 * A bounded queue of notifications. If its reader is too slow they are dropped, and it gets
 * `missed`.
 */
export class NotificationQueue {
  readonly #channel: Channel<Notification>;

  constructor(capacity: number) {
    this.#channel = new Channel(capacity);
  }

  push(payload: string): void {
    if (this.#channel.closed) return;
    if (!this.#channel.trySend({ payload, missed: false })) this.missed();
  }

  /**
   * Replaces the waiting notifications, which a reader that reads everything again does not need.
   */
  missed(): void {
    if (this.#channel.closed) return;
    while (this.#channel.length > 0) this.#channel.tryReceive();
    this.#channel.trySend({ payload: "", missed: true });
  }

  close(): void {
    this.#channel.close();
  }

  values(options: Abortable): AsyncGenerator<Notification, void, undefined> {
    return this.#channel.values(options);
  }
}
