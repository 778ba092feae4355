import { type Backoff, Event } from "@plumbline/concurrency";
import type { Logger } from "@plumbline/telemetry";
import type { Handler, SubscribeOptions } from "../broker.ts";
import { NotDueError } from "../errors.ts";
import type { Message } from "../message.ts";
import type { Backlog } from "./backlog.ts";
import { Lanes } from "./lanes.ts";
import { OffsetTracker } from "./offset-tracker.ts";

/** What all assignments of one subscription have in common. */
export interface Consumer {
  readonly topic: string;
  readonly options: SubscribeOptions;
  readonly handler: Handler;
  readonly backlog: Backlog;
  readonly logger: Logger;
  /** Called when a message is done with: there is a place, and perhaps something to commit. */
  readonly onProgress: () => void;
}

/**
 * One partition while this member handles it, the same for every adapter: the adapter fetches from `position`, adds
 * what it has places for, and commits `committable`. Redelivery after a throw happens here, in place.
 */
export class Assignment {
  readonly partition: number;
  readonly #consumer: Consumer;
  readonly #lanes: Lanes;
  readonly #tracker: OffsetTracker;
  readonly #lost = new AbortController();
  #position: bigint;
  #held = 0;
  /** Each its own: a session may be lost while a stop waits. */
  readonly #waitingForEmpty = new Set<Event>();

  /** @param position what the group has committed: the first offset to handle */
  constructor(consumer: Consumer, partition: number, position: bigint) {
    this.partition = partition;
    this.#consumer = consumer;
    this.#position = position;
    this.#tracker = new OffsetTracker(position);
    this.#lanes = new Lanes(consumer.backlog.slots, consumer.options.backoff ?? defaultBackoff);
  }

  /** The next offset to fetch. */
  get position(): bigint {
    return this.#position;
  }

  /** What the group may commit: everything before it is handled. */
  get committable(): bigint {
    return this.#tracker.next;
  }

  /** Takes the message at `offset`, at `position` or behind it, and gives `place` back when it is done with. */
  add(offset: bigint, message: Message, place: Disposable): void {
    this.#position = offset + 1n;
    this.#tracker.start(offset);
    this.#held++;
    void this.#handle(offset, message, place);
  }

  /**
   * Starts nothing more and waits for running handlers; `committable` is final afterwards. When `closeMs` are over
   * their signal aborts, and those that still do not return are left behind: a hung handler must not hang a shutdown.
   */
  async stop(closeMs = this.#consumer.options.closeMs ?? defaultCloseMs): Promise<void> {
    this.#lanes.stop();
    await this.#emptyWithin(closeMs);
    await this.lose(new Error("the subscription closed before this handler returned"));
  }

  /** Aborts running handlers at once: their outcomes no longer count. Waits a moment for those that listen. */
  async lose(reason: unknown): Promise<void> {
    this.#lanes.stop();
    this.#lost.abort(reason);
    await this.#emptyWithin(abortGraceMs);
  }

  async #handle(offset: bigint, message: Message, place: Disposable): Promise<void> {
    const handled = await this.#lanes.add(message.key, (attempt) => this.#deliver(message, attempt));
    // A lost partition's next owner delivers the message again: an outcome that comes now is nobody's.
    if (handled && !this.#lost.signal.aborted) this.#tracker.finish(offset);
    this.#held--;
    place[Symbol.dispose]();
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
      if (!expected) logger.error("message not handled, it is delivered again", error, fields);
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
