import {
  type BaseOptions,
  ProduceAcks,
  Producer,
  type ProducerOptions,
  ResponseError,
  stringSerializer,
} from "@platformatic/kafka";
import { sleep } from "@plumbline/concurrency";
import type { OutgoingRecord } from "../client.ts";
import { isRetryable } from "./errors.ts";

const attempts = 7;

/** A producer of records. */
export interface RecordSender extends AsyncDisposable {
  send(topic: string, records: readonly OutgoingRecord[]): Promise<void>;
}

/**
 * Creates a producer that repeats only records that are not stored. The library repeats a request
 * as a whole. If one partition has no leader yet, as happens right after a topic's creation, it
 * stores the records of the other partitions twice.
 */
export function createSender(
  base: BaseOptions,
  retryDelayMs: (attempt: number) => number,
  createProducer = (options: ProducerOptions<string, Buffer, string, string>) => new Producer(options),
): RecordSender {
  const producer = createProducer({
    ...base,
    retries: 0,
    repeatOnStaleMetadata: false,
    acks: ProduceAcks.ALL,
    compression: "none",
    serializers: { key: stringSerializer, headerKey: stringSerializer, headerValue: stringSerializer },
  });
  return {
    async send(topic, records) {
      let rest = records;
      for (let attempt = 1; ; attempt++) {
        try {
          await producer.send({ messages: rest.map((record) => ({ topic, ...record })) });
          return;
        } catch (error) {
          const stored = new Set(storedPartitions(error));
          rest = rest.filter(({ partition }) => !stored.has(partition));
          if (attempt === attempts || !isRetryable(error)) throw error;
          producer.clearMetadata(); // A partition may have another leader.
          await sleep(retryDelayMs(attempt));
        }
      }
    },
    [Symbol.asyncDispose]: async () => await producer.close(),
  };
}

interface ProduceResponse {
  readonly responses: readonly {
    readonly partitionResponses: readonly { readonly index: number; readonly errorCode: number }[];
  }[];
}

/**
 * Returns the partitions that accepted their records although the send failed: those of other
 * brokers, and those beside a failed partition.
 */
function storedPartitions(error: unknown): number[] {
  if (error instanceof ResponseError) {
    const { responses } = error["response"] as ProduceResponse;
    const partitions = responses.flatMap(({ partitionResponses }) => partitionResponses);
    return partitions.filter(({ errorCode }) => errorCode === 0).map(({ index }) => index);
  }
  if (!(error instanceof AggregateError)) return [];
  const { offsets = [] } = ("produced" in error ? error.produced : {}) as { offsets?: { partition: number }[] };
  return [...offsets.map(({ partition }) => partition), ...error.errors.flatMap(storedPartitions)];
}
