import { ServiceError } from "@plumbline/errors";
import type { Abortable } from "./abortable.ts";
import { List } from "./list.ts";
import { type Case, type Outcome, wait } from "./select.ts";

/** What a receiver gets: a value, or `done` when the channel is closed and empty. */
export type Received<T> =
  | { readonly done: false; readonly value: T }
  | { readonly done: true; readonly value: undefined };

/** The channel is closed: the value was not accepted. */
export class ChannelClosedError extends ServiceError {
  static {
    this.prototype.name = "ChannelClosedError";
  }

  constructor() {
    super("failed_precondition", "the channel is closed", { reason: "CHANNEL_CLOSED" });
  }
}

interface Sender<T> {
  readonly value: T;
  accepted(): void;
  refused(): void;
}

/**
 * A bounded queue between tasks. A full channel holds its senders; capacity 0 is a rendezvous, where a send ends when
 * its value is received. Values, senders and receivers are served in the order they came. Senders and receivers are as
 * many as there are callers; values waiting are at most `capacity`.
 *
 * Whoever sends owns the channel and closes it. Closing refuses senders, those waiting included; what was accepted can
 * still be read. Iterating reads until then; several may iterate, and each value goes to one of them.
 */
export class Channel<T> implements AsyncIterable<T>, Disposable {
  readonly capacity: number;
  readonly #values = new List<T>();
  // While a receiver waits nothing is stored, and while a sender waits the store is full.
  readonly #receivers = new List<(received: Received<T>) => void>();
  readonly #senders = new List<Sender<T>>();
  #closed = false;

  constructor(capacity: number) {
    if (!Number.isSafeInteger(capacity) || capacity < 0) throw new RangeError("a channel's capacity is a whole number");
    this.capacity = capacity;
  }

  /** Values accepted and not yet received. */
  get length(): number {
    return this.#values.length;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Resolves once the value is accepted. Rejects with `ChannelClosedError`, or with the signal's reason: not accepted. */
  async send(value: T, options: Abortable = {}): Promise<void> {
    options.signal?.throwIfAborted();
    if (this.trySend(value)) return;
    const outcome = await wait([this.onSend(value, nothing)], options.signal);
    outcome();
  }

  /** Resolves with the next value, or with `done` once the channel is closed and empty. */
  async receive(options: Abortable = {}): Promise<Received<T>> {
    options.signal?.throwIfAborted();
    const received = this.tryReceive();
    if (received !== undefined) return received;
    const outcome = await wait([this.onReceive(itself<T>)], options.signal);
    return outcome();
  }

  /** Whether the value could be accepted at once. Throws `ChannelClosedError`. */
  trySend(value: T): boolean {
    if (this.#closed) throw new ChannelClosedError();
    const receiver = this.#receivers.shift();
    if (receiver !== undefined) {
      receiver.value({ done: false, value });
      return true;
    }
    if (this.#values.length === this.capacity) return false;
    this.#values.append(value);
    return true;
  }

  /** The next value if there is one, `done` if there will be none, `undefined` if one would have to wait. */
  tryReceive(): Received<T> | undefined {
    const stored = this.#values.shift();
    const sender = this.#senders.shift()?.value;
    sender?.accepted();
    if (stored !== undefined) {
      // The longest waiting sender's value takes the place that became free.
      if (sender !== undefined) this.#values.append(sender.value);
      return { done: false, value: stored.value };
    }
    if (sender !== undefined) return { done: false, value: sender.value };
    return this.#closed ? { done: true, value: undefined } : undefined;
  }

  /** Refuses senders from now on, and ends receivers once what was accepted is read. Closing twice does nothing. */
  close(): void {
    this.#closed = true;
    for (let sender = this.#senders.shift(); sender !== undefined; sender = this.#senders.shift()) {
      sender.value.refused();
    }
    for (let receiver = this.#receivers.shift(); receiver !== undefined; receiver = this.#receivers.shift()) {
      receiver.value({ done: true, value: undefined });
    }
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** A case of `select`: receives from this channel. */
  onReceive<R>(handler: (received: Received<T>) => R): Case<R> {
    return {
      poll: () => {
        const received = this.tryReceive();
        return received && (() => handler(received));
      },
      join: (take) => {
        const place = this.#receivers.append((received) => take(() => handler(received)));
        return () => this.#receivers.remove(place);
      },
    };
  }

  /** A case of `select`: sends `value` to this channel. */
  onSend<R>(value: T, handler: () => R): Case<R> {
    return {
      poll: () => (this.#closed ? refuse : this.trySend(value) ? handler : undefined),
      join: (take) => {
        const place = this.#senders.append({ value, accepted: () => take(handler), refused: () => take(refuse) });
        return () => this.#senders.remove(place);
      },
    };
  }

  /** The values as they come, until the channel is closed and empty. Leaving the loop does not close the channel. */
  async *values(options: Abortable = {}): AsyncGenerator<T, void, undefined> {
    for (;;) {
      const received = await this.receive(options);
      if (received.done) return;
      yield received.value;
    }
  }

  [Symbol.asyncIterator](): AsyncGenerator<T, void, undefined> {
    return this.values();
  }
}

const refuse: Outcome<never> = () => {
  throw new ChannelClosedError();
};

function nothing(): void {}

function itself<T>(received: Received<T>): Received<T> {
  return received;
}
