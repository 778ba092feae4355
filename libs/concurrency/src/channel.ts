import { ServiceError } from "@plumbline/errors";
import type { Abortable } from "./abortable.ts";
import { List } from "./list.ts";
import { type Case, type Outcome, wait } from "./select.ts";

/** The result of a receive: a value, or `done` when the channel is closed and empty. */
export type Received<T> =
  | { readonly done: false; readonly value: T }
  | { readonly done: true; readonly value: undefined };

/** A refused send: the channel is closed and the value was not accepted. */
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
 * A bounded queue between tasks. Sends to a full channel wait. Capacity 0 is a rendezvous: a send
 * ends when its value is received. Values, senders and receivers are served in order. At most
 * `capacity` values wait; waiting senders and receivers are as many as there are callers.
 *
 * The sender owns the channel and closes it. Closing refuses senders, also waiting ones, and
 * accepted values can still be received. Iterating receives until the channel is closed and empty.
 * With several iterators each value goes to one.
 */
export class Channel<T> implements AsyncIterable<T>, Disposable {
  readonly capacity: number;
  readonly #values = new List<T>();
  // While a receiver waits no value is stored, and while a sender waits the store is full.
  readonly #receivers = new List<(received: Received<T>) => void>();
  readonly #senders = new List<Sender<T>>();
  #closed = false;

  constructor(capacity: number) {
    if (!Number.isSafeInteger(capacity) || capacity < 0)
      throw new RangeError("a channel's capacity must be a whole number, at least 0");
    this.capacity = capacity;
  }

  /** The number of values accepted and not yet received. */
  get length(): number {
    return this.#values.length;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /**
   * Resolves once the value is accepted. Rejects with `ChannelClosedError` or the signal's reason,
   * and then the value was not accepted.
   */
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

  /** Sends without waiting. Returns false if the channel is full. Throws `ChannelClosedError`. */
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

  /**
   * Receives without waiting. Returns undefined if the channel is empty, `done` if it is closed and
   * empty.
   */
  tryReceive(): Received<T> | undefined {
    const stored = this.#values.shift();
    const sender = this.#senders.shift()?.value;
    sender?.accepted();
    if (stored !== undefined) {
      // The value of the longest waiting sender takes the free place.
      if (sender !== undefined) this.#values.append(sender.value);
      return { done: false, value: stored.value };
    }
    if (sender !== undefined) return { done: false, value: sender.value };
    return this.#closed ? { done: true, value: undefined } : undefined;
  }

  /**
   * Refuses further values, and ends receivers once the accepted ones are read. Closing twice does
   * nothing.
   */
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

  /** Returns a case of `select` that receives from this channel. */
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

  /** Returns a case of `select` that sends `value` to this channel. */
  onSend<R>(value: T, handler: () => R): Case<R> {
    return {
      poll: () => (this.#closed ? refuse : this.trySend(value) ? handler : undefined),
      join: (take) => {
        const place = this.#senders.append({ value, accepted: () => take(handler), refused: () => take(refuse) });
        return () => this.#senders.remove(place);
      },
    };
  }

  /**
   * Yields values until the channel is closed and empty. Leaving the loop does not close the
   * channel.
   */
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
