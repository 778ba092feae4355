import { type Abortable, deadline } from "@plumbline/concurrency";
import { codeOf } from "@plumbline/errors";
import type { Queryable } from "@plumbline/postgres";
import type { Histogram, SpanOptions, Telemetry } from "@plumbline/telemetry";
import { batchTrace } from "../batch-trace.ts";
import type { Publisher } from "../broker.ts";
import type { Message } from "../message.ts";
import { deleteRows, type OutboxRow, refuseRow } from "./outbox-rows.ts";

/**
 * Publishes rows, in one send per topic, and deletes those that the broker accepted. No transaction
 * is open in between.
 */
export class BatchPublisher {
  readonly #publisher: Publisher;
  readonly #telemetry: Telemetry;
  readonly #sendTimeoutMs: number;
  readonly #duration: Histogram<"topic" | "outcome">;

  constructor(publisher: Publisher, sendTimeoutMs: number, telemetry: Telemetry) {
    this.#publisher = publisher;
    this.#telemetry = telemetry;
    this.#sendTimeoutMs = sendTimeoutMs;
    this.#duration = telemetry.metrics.histogram(
      "message_publish_duration_seconds",
      "Time for the broker to accept one batch.",
      ["topic", "outcome"],
    );
  }

  /**
   * Rejects if the broker did not accept a batch. Rows not deleted by then are sent again. A crash
   * between the broker's reply and the delete causes a second send, so consumers need an inbox.
   */
  async send(on: Queryable, rows: readonly OutboxRow[], options: Abortable): Promise<void> {
    for (const [topic, ofTopic] of Map.groupBy(rows, (row) => row.topic)) {
      try {
        await this.#publish(topic, ofTopic, options);
        await deleteRows(on, ofTopic);
      } catch (error) {
        if (codeOf(error) !== "invalid_argument") throw error;
        await this.#sendOneByOne(on, topic, ofTopic, options);
      }
    }
  }

  /**
   * Sends each row alone after the broker rejected their batch because of one of them. That one is
   * set aside, and the others keep their order.
   */
  async #sendOneByOne(on: Queryable, topic: string, rows: readonly OutboxRow[], options: Abortable): Promise<void> {
    for (const row of rows) {
      try {
        await this.#publish(topic, [row], options);
        await deleteRows(on, [row]);
      } catch (error) {
        if (codeOf(error) !== "invalid_argument") throw error;
        await refuseRow(on, row, String(error));
        const { id, type, key } = row.message;
        this.#telemetry.logger.error("broker rejected the message; it stays in the outbox, marked as refused", error, {
          topic,
          id,
          type,
          key,
        });
      }
    }
  }

  async #publish(topic: string, rows: readonly OutboxRow[], options: Abortable): Promise<void> {
    const started = performance.now();
    let outcome = "error";
    using limit = deadline(this.#sendTimeoutMs, options);
    const messages = rows.map(({ message }) => message);
    await this.#telemetry.tracer.span(`publish ${topic}`, batchSpan(topic, messages), async () => {
      try {
        await this.#publisher.publish(topic, messages, limit);
        outcome = "ok";
      } finally {
        this.#duration.observe({ topic, outcome }, (performance.now() - started) / 1000);
      }
    });
  }
}

function batchSpan(topic: string, messages: readonly Message[]): SpanOptions {
  return {
    kind: "producer",
    ...batchTrace(messages.map(({ headers }) => headers)),
    attributes: {
      "messaging.operation.type": "send",
      "messaging.destination.name": topic,
      "messaging.batch.message_count": messages.length,
    },
  };
}
