import type { Abortable } from "@plumbline/concurrency";
import { codeOf, ServiceError } from "@plumbline/errors";
import kafkajs, { type Producer } from "kafkajs";
import { type Message, sizeOf } from "../message.ts";
import { partitionOf } from "../partition-of.ts";
import { toRecord } from "./cloud-events.ts";
import { fromKafka } from "./errors.ts";

interface Task {
  readonly topic: string;
  readonly messages: readonly Message[];
  readonly signal: AbortSignal | undefined;
  readonly settle: (error?: unknown) => void;
}

/** Below the broker's limit for one batch: message.max.bytes, 1,048,588 by default. */
const maxRequestBytes = 1_000_000;
/** What a record takes besides its message: names of the attributes' headers, the time as text, lengths. */
const framingBytes = 200;
const maxWaiting = 10_000;

/**
 * Sends in order, one request at a time: overlapping sends of one kafkajs producer can overtake each other when one is
 * retried (tulios/kafkajs#598), and so can overlapping questions for a topic's partitions. What is published while a request is on its way goes with the next one, so many small
 * publishes cost few requests. Bounded: beyond 10,000 waiting calls it refuses, and a call that was aborted while it waited
 * is not sent: during an outage a caller that tries again would otherwise leave a copy behind with each attempt.
 */
export class PublishQueue {
  readonly #producer: Producer;
  readonly #partitionsOf: (topic: string) => Promise<number>;
  readonly #waiting: Task[] = [];
  #sending: Promise<void> | undefined;

  /** `partitionsOf` says how many a topic has, and rejects with what the sends to it are to reject with. */
  constructor(producer: Producer, partitionsOf: (topic: string) => Promise<number>) {
    this.#producer = producer;
    this.#partitionsOf = partitionsOf;
  }

  /** Resolves once the broker has all messages on as many copies as it asks for. */
  send(topic: string, messages: readonly Message[], { signal }: Abortable = {}): Promise<void> {
    if (this.#waiting.length >= maxWaiting) {
      throw new ServiceError("resource_exhausted", `${maxWaiting} publishes wait already`, {
        reason: "PUBLISH_QUEUE_FULL",
      });
    }
    return new Promise((resolve, reject) => {
      const settle = (error?: unknown) => (error === undefined ? resolve() : reject(error));
      this.#waiting.push({ topic, messages, signal, settle });
      this.#start();
    });
  }

  /** Resolves when nothing is on its way. */
  async idle(): Promise<void> {
    while (this.#sending !== undefined) await this.#sending;
  }

  #start(): void {
    this.#sending ??= this.#drain().finally(() => {
      this.#sending = undefined;
      if (this.#waiting.length > 0) this.#start(); // Published between the last look and here.
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
        await this.#producer.send({
          topic,
          acks: -1,
          compression: kafkajs.CompressionTypes.None,
          messages: chunk.map((message) => toRecord(message, partitionOf(message.key, partitions))),
        });
      }
      for (const task of tasks) task.settle();
    } catch (error) {
      const failure = fromKafka(error, topic);
      // Refused for good, perhaps for one call's message or for being together: nobody's fault is another's.
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

  /** The first waiting task and those of its topic right behind it, as far as one request goes. */
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

/** In order, each at most `maxRequestBytes`, or one message. */
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
