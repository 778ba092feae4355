import type { Abortable } from "@plumbline/concurrency";
import { codeOf, ServiceError } from "@plumbline/errors";
import { type Message, sizeOf } from "../message.ts";
import { partitionOf } from "../partition-of.ts";
import type { KafkaClient } from "./client.ts";
import { toRecord } from "./cloud-events.ts";
import { fromKafka, type NamedInErrors } from "./errors.ts";

interface Task {
  readonly topic: string;
  readonly messages: readonly Message[];
  readonly signal: AbortSignal | undefined;
  readonly settle: (error?: unknown) => void;
}

/** Below the broker's limit of a batch: message.max.bytes, 1,048,588 by default. */
const maxRequestBytes = 1_000_000;
/** The size of a record besides its message: names of headers, the time as text, lengths. */
const framingBytes = 200;
const maxWaiting = 10_000;

/**
 * A queue that sends in order, one request at a time. Overlapping sends of one producer can
 * overtake each other when one is retried (tulios/kafkajs#598), and so can overlapping requests for
 * a topic's partitions. Messages published while a request is in flight go with the next one, so
 * many small publishes cost few requests.
 *
 * Rejects beyond 10,000 waiting calls. A call that is aborted while it waits is not sent. Otherwise
 * a caller that retries during an outage would leave a copy with each attempt.
 */
export class PublishQueue {
  readonly #client: Pick<KafkaClient, "send">;
  readonly #partitionsOf: (topic: string) => Promise<number>;
  readonly #options: NamedInErrors;
  readonly #waiting: Task[] = [];
  #sending: Promise<void> | undefined;

  /**
   * Takes `partitionsOf`, which returns the number of a topic's partitions. Its rejection becomes
   * that of the sends to the topic. Errors name the brokers and the user of `options`.
   */
  constructor(
    client: Pick<KafkaClient, "send">,
    partitionsOf: (topic: string) => Promise<number>,
    options: NamedInErrors = {},
  ) {
    this.#client = client;
    this.#partitionsOf = partitionsOf;
    this.#options = options;
  }

  /** Resolves once the broker has all messages on as many replicas as it requires. */
  send(topic: string, messages: readonly Message[], { signal }: Abortable = {}): Promise<void> {
    if (this.#waiting.length >= maxWaiting) {
      throw new ServiceError("resource_exhausted", `${maxWaiting} publishes are already waiting`, {
        reason: "PUBLISH_QUEUE_FULL",
      });
    }
    return new Promise((resolve, reject) => {
      const settle = (error?: unknown) => (error === undefined ? resolve() : reject(error));
      this.#waiting.push({ topic, messages, signal, settle });
      this.#start();
    });
  }

  /** Resolves when nothing is waiting or in flight. */
  async idle(): Promise<void> {
    while (this.#sending !== undefined) await this.#sending;
  }

  #start(): void {
    this.#sending ??= this.#drain().finally(() => {
      this.#sending = undefined;
      if (this.#waiting.length > 0) this.#start(); // Published after the loop's last check.
    });
  }

  async #drain(): Promise<void> {
    for (;;) {
      this.#dropAborted();
      const topic = this.#waiting[0]?.topic;
      if (topic === undefined) return;
      try {
        const partitions = await this.#partitionsOf(topic);
        this.#dropAborted();
        await this.#sendTogether(topic, this.#take(topic), partitions);
      } catch (error) {
        for (const task of this.#take(topic)) task.settle(error);
      }
    }
  }

  async #sendTogether(topic: string, tasks: readonly Task[], partitions: number): Promise<void> {
    try {
      for (const chunk of chunks(tasks.flatMap(({ messages }) => messages))) {
        const records = chunk.map((message) => toRecord(message, partitionOf(message.key, partitions)));
        await this.#client.send(topic, records);
      }
      for (const task of tasks) task.settle();
    } catch (error) {
      const failure = fromKafka(error, topic, this.#options);
      // One call's message may be too large, or all of them together, so each call is sent alone.
      if (tasks.length > 1 && codeOf(failure) === "invalid_argument") {
        for (const task of tasks) await this.#sendTogether(topic, [task], partitions);
      } else for (const task of tasks) task.settle(failure);
    }
  }

  #dropAborted(): void {
    const wanted = this.#waiting.filter((task) => task.signal?.aborted !== true);
    for (const task of this.#waiting) if (task.signal?.aborted === true) task.settle(task.signal.reason);
    this.#waiting.splice(0, this.#waiting.length, ...wanted);
  }

  /**
   * Takes the first waiting task and the following ones of its topic, up to the size of one
   * request.
   */
  #take(topic: string): Task[] {
    let bytes = 0;
    let count = 0;
    for (const task of this.#waiting) {
      bytes += task.messages.reduce((sum, message) => sum + sizeOf(message) + framingBytes, 0);
      if (task.topic !== topic || (count > 0 && bytes > maxRequestBytes)) break;
      count++;
    }
    return this.#waiting.splice(0, count);
  }
}

/** Splits messages in order into chunks of at most `maxRequestBytes`, or of one message. */
function chunks(messages: readonly Message[]): Message[][] {
  const result: Message[][] = [];
  let bytes = Number.POSITIVE_INFINITY;
  for (const message of messages) {
    const size = sizeOf(message) + framingBytes;
    if (bytes + size > maxRequestBytes) {
      result.push([]);
      bytes = 0;
    }
    result.at(-1)?.push(message);
    bytes += size;
  }
  return result;
}
