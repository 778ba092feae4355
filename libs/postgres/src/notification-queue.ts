import { type Abortable, Channel } from "@plumbline/concurrency";

export interface Notification {
  readonly payload: string;
  /** Some may have been lost before this one, and this one may carry nothing: read the data again. */
  readonly missed: boolean;
}

/** Notifications that wait for their reader. A reader too slow for them loses them, and is told. */
export class NotificationQueue {
  readonly #channel: Channel<Notification>;

  constructor(capacity: number) {
    this.#channel = new Channel(capacity);
  }

  push(payload: string): void {
    if (this.#channel.closed) return;
    if (!this.#channel.trySend({ payload, missed: false })) this.missed();
  }

  /** Replaces what waits: whoever reads everything again needs none of it. */
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
