import { type Backoff, Event } from "@plumbline/concurrency";
import type { Logger } from "@plumbline/telemetry";
import type { Handler, SubscribeOptions } from "../broker.ts";
import { NotDueError } from "../errors.ts";
import { type Message, sizeOf } from "../message.ts";
import { shareOf } from "../share.ts";
import type { Backlog } from "./backlog.ts";
import { Lanes } from "./lanes.ts";
import { OffsetTracker } from "./offset-tracker.ts";

/** The part that all assignments of one subscription share. */
export interface Consumer {
  readonly topic: string;
  readonly options: SubscribeOptions;
  readonly handler: Handler;
  readonly backlog: Backlog;
  readonly logger: Logger;
  /** Called when a message is done: a permit is free, and there may be something to commit. */
  readonly onProgress: () => void;
}

/**
 * A partition while this member handles it, for every adapter. The adapter fetches from `position`,
 * adds as many messages as it has permits for, and commits `committable`. A message whose handler
 * threw is redelivered here, in place.
 */
export class Assignment {
  readonly partition: number;
  readonly #consumer: Consumer;
  readonly #lanes: Lanes;
  readonly #tracker: OffsetTracker;
  readonly #lost = new AbortController();
  #position: bigint;
  #held = 0;
  /** One event per waiter, because a session may be lost while a stop waits. */
  readonly #waitingForEmpty = new Set<Event>();

  /** @param position the group's committed position: the first offset to handle */
  constructor(consumer: Consumer, partition: number, position: bigint) {
    this.partition = partition;
    this.#consumer = consumer;
    this.#position = position;
    this.#tracker = new OffsetTracker(position);
    this.#lanes = new Lanes(consumer.backlog.slots, consumer.options.backoff ?? defaultBackoff);
    consumer.backlog.lanes.add(this.#lanes);
  }

  /** The next offset to fetch. */
  get position(): bigint {
    return this.#position;
  }

  /** The position that the group may commit. All messages before it are handled. */
  get committable(): bigint {
    return this.#tracker.next;
  }

  /**
   * Takes the message at `offset`, which is `position` or later. Releases `permit` when the message
   * is done.
   */
  add(offset: bigint, message: Message, permit: Disposable): void {
    this.#position = offset + 1n;
    this.#tracker.start(offset);
    this.#held++;
    const bytes = sizeOf(message);
    this.#consumer.backlog.bytes += bytes;
    void this.#handle(offset, message, bytes, permit);
  }

  /**
   * Moves on to `offset`, because nothing up to there is a message. The group may commit it once
   * all messages before it are handled.
   */
  skipTo(offset: bigint): void {
    if (offset <= this.#position) return;
    this.#position = offset;
    this.#tracker.skipTo(offset);
  }

  /**
   * Starts no further handler and waits for the running ones. Afterwards `committable` is final.
   * After `closeMs` their signal aborts. Handlers that still do not return are abandoned, because a
   * hung handler must not hang a shutdown.
   */
  async stop(closeMs = this.#consumer.options.closeMs ?? defaultCloseMs): Promise<void> {
    this.#lanes.stop();
    await this.#emptyWithin(closeMs);
    await this.lose(new Error("the subscription closed before this handler returned"));
  }

  /**
   * Aborts running handlers at once, because their outcomes no longer count. Waits a moment for
   * handlers that react to the signal.
   */
  async lose(reason: unknown): Promise<void> {
    this.#lanes.stop();
    this.#consumer.backlog.lanes.delete(this.#lanes);
    this.#lost.abort(reason);
    await this.#emptyWithin(abortGraceMs);
  }

  async #handle(offset: bigint, message: Message, bytes: number, permit: Disposable): Promise<void> {
    const handled = await this.#lanes.add(message.key, (attempt) => this.#deliver(message, attempt), shareOf(message));
    // The next owner of a lost partition delivers the message again, so an outcome no longer
    // counts.
    if (handled && !this.#lost.signal.aborted) this.#tracker.finish(offset);
    this.#held--;
    this.#consumer.backlog.bytes -= bytes;
    permit[Symbol.dispose]();
    if (this.#held === 0) for (const empty of this.#waitingForEmpty) empty.set();
    this.#consumer.onProgress();
  }

  async #deliver(message: Message, attempt: number): Promise<void> {
    const { topic, options, handler, logger } = this.#consumer;
    const { signal } = this.#lost;
    try {
      await handler({ topic, group: options.group, message, attempt, signal });
    } catch (error) {
      const fields = { topic, group: options.group, id: message.id, type: message.type, attempt };
      const expected = signal.aborted || error instanceof NotDueError;
      if (!expected) logger.error("message not handled; it will be delivered again", error, fields);
      throw error;
    }
  }

  async #emptyWithin(ms: number): Promise<void> {
    if (this.#held === 0) return;
    const empty = new Event();
    this.#waitingForEmpty.add(empty);
    await empty.wait({ ms });
    this.#waitingForEmpty.delete(empty);
  }
}

const defaultBackoff: Backoff = { baseMs: 100, maxMs: 30_000 };
const defaultCloseMs = 8_000;
const abortGraceMs = 500;
