/** Client libraries that do nothing by themselves: the test plays their broker. */
import {
  IS_CONTROL,
  IS_TRANSACTIONAL,
  type Consumer as PlatformaticConsumer,
  ResponseError,
} from "@platformatic/kafka";
import type {
  Batch,
  ConsumerRunConfig,
  EachBatchPayload,
  Kafka,
  Consumer as KafkajsConsumer,
  KafkaMessage,
} from "kafkajs";
import { eventually } from "../src/conformance/test-context.ts";
import type { Member, MemberEvents, MemberOptions } from "../src/kafka/client.ts";
import { KafkajsMember } from "../src/kafka/kafkajs/member.ts";
import type { KafkaClientName } from "../src/kafka/options.ts";
import type { FetchResponse } from "../src/kafka/platformatic/fetch.ts";
import { PlatformaticMember } from "../src/kafka/platformatic/member.ts";

/** A consumer of a client library, driven by a test. */
export abstract class FakeConsumer {
  readonly calls: string[] = [];
  readonly committed = new Map<number, bigint>();
  /** The positions of the fetches that were answered. */
  readonly fetchedFrom: (readonly [partition: number, position: bigint])[] = [];
  retries: number | boolean | undefined;
  refusedCommits = 0;
  connecting: Promise<void> = Promise.resolve();
  disconnecting: Promise<void> = Promise.resolve();

  /** True once the consumer has joined and may fetch. */
  abstract get runs(): boolean;
  /**
   * Starts a rebalance: the consumer learns the number of the next generation before its
   * assignment.
   */
  beginRebalance(): void {}
  abstract join(...partitions: number[]): void;
  abstract contact(): void;
  abstract crash(error: Error): void;
  /**
   * Responds to a fetch with one batch, of records and then of markers of transactions. Returns
   * false if the library does not fetch this partition.
   */
  abstract deliver(
    partition: number,
    offsets: readonly number[],
    highWatermark?: number,
    markers?: readonly number[],
  ): Promise<boolean>;

  protected save(offsets: readonly (readonly [number, bigint])[]): void {
    if (this.refusedCommits-- > 0) throw new Error("the coordinator moves");
    for (const [partition, offset] of offsets) this.committed.set(partition, offset);
  }
}

type Create = (options: MemberOptions, events: MemberEvents, made: (consumer: FakeConsumer) => void) => Member;

/** Creates a member of each client over a fake consumer, which `made` gets first. */
export const fakeMembers: Readonly<Record<KafkaClientName, Create>> = {
  kafkajs: (options, events, made) => {
    const consumer = new FakeKafkajs(options.topic);
    made(consumer);
    const kafka = { consumer: () => consumer as unknown as KafkajsConsumer };
    return new KafkajsMember(kafka as unknown as Kafka, options, events);
  },
  platformatic: (options, events, made) => {
    const consumer = new FakePlatformatic(options.topic);
    made(consumer);
    const base = { clientId: "fake", bootstrapBrokers: ["127.0.0.1:1"] };
    return new PlatformaticMember(base, options, events, (wanted) => {
      consumer.retries = wanted.retries;
      return consumer as unknown as PlatformaticConsumer;
    });
  },
};

class FakeKafkajs extends FakeConsumer {
  readonly events = {
    CRASH: "crash",
    GROUP_JOIN: "join",
    FETCH: "fetch",
    HEARTBEAT: "heartbeat",
    START_BATCH_PROCESS: "start",
  };
  readonly #topic: string;
  readonly #paused = new Set<number>();
  readonly #listeners = new Map<string, (event: { payload: unknown }) => void>();
  #run: ConsumerRunConfig | undefined;

  constructor(topic: string) {
    super();
    this.#topic = topic;
  }

  on(name: string, listener: (event: { payload: unknown }) => void) {
    this.#listeners.set(name, listener);
  }
  async connect() {
    this.calls.push("connect");
    await this.connecting;
  }
  async subscribe() {
    this.calls.push("subscribe");
  }
  async run(config: ConsumerRunConfig) {
    this.calls.push("run");
    this.#run = config;
  }
  async disconnect() {
    this.calls.push("disconnect");
    await this.disconnecting;
  }
  async commitOffsets(offsets: readonly { partition: number; offset: string }[]) {
    this.save(offsets.map(({ partition, offset }) => [partition, BigInt(offset)]));
  }
  pause([{ partitions }]: [{ partitions: number[] }]) {
    for (const partition of partitions) this.#paused.add(partition);
  }
  resume([{ partitions }]: [{ partitions: number[] }]) {
    for (const partition of partitions) this.#paused.delete(partition);
  }

  get runs(): boolean {
    return this.#run !== undefined;
  }
  join(...partitions: number[]) {
    this.#emit("join", { memberAssignment: { [this.#topic]: partitions } });
  }
  contact() {
    this.#emit("fetch");
  }
  crash(error: Error) {
    this.#emit("crash", { error });
  }
  async deliver(
    partition: number,
    offsets: readonly number[],
    highWatermark = 1_000,
    markers: readonly number[] = [],
  ): Promise<boolean> {
    if (this.#paused.has(partition)) return false;
    const messages = offsets.map((offset) => ({ offset: `${offset}`, timestamp: "0", key: Buffer.from(`${offset}`) }));
    const lastOffset = String([...offsets, ...markers].at(-1));
    this.#emit("start", {
      partition,
      batchSize: offsets.length,
      lastOffset,
      highWatermark: String(highWatermark),
    });
    if (offsets.length === 0) return true;
    const batch = {
      topic: this.#topic,
      partition,
      highWatermark: String(highWatermark),
      messages: messages as unknown as KafkaMessage[],
      lastOffset: () => lastOffset,
    } as unknown as Batch;
    await this.#run?.eachBatch?.({ batch, resolveOffset: () => undefined } as unknown as EachBatchPayload);
    return true;
  }

  #emit(name: string, payload: unknown = {}) {
    this.#listeners.get(name)?.({ payload });
  }
}

interface PendingFetch {
  readonly positions: ReadonlyMap<number, bigint>;
  readonly answer: PromiseWithResolvers<FetchResponse>;
}

class FakePlatformatic extends FakeConsumer {
  readonly topics = { track: () => true };
  readonly connections = { close: async () => undefined };
  memberId: string | null = null;
  generationId = 0;
  readonly #topic: string;
  readonly #listeners = new Map<string, (payload: unknown) => void>();
  #pending: PendingFetch | undefined;

  constructor(topic: string) {
    super();
    this.#topic = topic;
  }

  on(name: string, listener: (payload: unknown) => void) {
    this.#listeners.set(name, listener);
  }
  async metadata() {
    if (this.calls.length === 0) this.calls.push("connect");
    await this.connecting;
    const partitions = Array.from({ length: 4 }, () => ({ leader: 1 }));
    return { topics: new Map([[this.#topic, { id: "id", partitions }]]) };
  }
  async joinGroup() {
    this.calls.push("join");
    this.memberId = "member";
    this.#emit("consumer:heartbeat:end");
  }
  async listCommittedOffsets() {
    const committed = Array.from({ length: 4 }, (_, partition) => this.committed.get(partition) ?? -1n);
    return new Map([[this.#topic, committed]]);
  }
  async listOffsets() {
    return new Map([[this.#topic, [0n, 0n, 0n, 0n]]]);
  }
  async commit({ offsets }: { offsets: readonly { partition: number; offset: bigint }[] }) {
    this.save(offsets.map(({ partition, offset }) => [partition, offset]));
  }
  async fetch({ topics }: { topics: { partitions: { partition: number; fetchOffset: bigint }[] }[] }) {
    const wanted = topics.flatMap(({ partitions }) => partitions);
    const positions = new Map(wanted.map(({ partition, fetchOffset }) => [partition, fetchOffset]));
    this.#pending = { positions, answer: Promise.withResolvers<FetchResponse>() };
    return await this.#pending.answer.promise;
  }
  leaveGroup(_force: boolean, left: () => void) {
    void this.disconnecting.then(left);
  }
  async close() {
    this.calls.push("disconnect");
  }

  get runs(): boolean {
    return this.calls.includes("join");
  }
  override beginRebalance() {
    this.generationId++;
  }
  join(...partitions: number[]) {
    this.generationId++;
    this.#emit("consumer:group:join", { assignments: [{ topic: this.#topic, partitions }] });
  }
  contact() {
    this.#emit("consumer:heartbeat:end");
  }
  crash(error: Error) {
    this.#emit("error", error);
  }

  async deliver(
    partition: number,
    offsets: readonly number[],
    highWatermark = 1_000,
    markers: readonly number[] = [],
  ): Promise<boolean> {
    await nextFetch();
    if (this.#pending?.positions.has(partition) !== true) {
      // The fetch in flight ends without data. The next one may ask for more partitions.
      this.#pending?.answer.resolve({ responses: [] } as unknown as FetchResponse);
      this.#pending = undefined;
      await nextFetch();
    }
    const pending = this.#pending;
    const position = pending?.positions.get(partition);
    if (pending === undefined || position === undefined) return false;
    this.#pending = undefined;
    if (position > highWatermark) {
      pending.answer.reject(outOfRange(partition));
      await eventually(() => this.#pending !== undefined, "another fetch");
      return await this.deliver(partition, offsets, highWatermark, markers);
    }
    this.fetchedFrom.push([partition, position]);
    pending.answer.resolve(response(partition, offsets, highWatermark, markers));
    await nextFetch();
    return true;
  }

  #emit(name: string, payload: unknown = {}) {
    this.#listeners.get(name)?.(payload);
  }
}

/** Waits for the turns in which a member sends its next fetch. */
async function nextFetch(): Promise<void> {
  for (let turn = 0; turn < 3; turn++) await new Promise(setImmediate);
}

function response(
  partition: number,
  offsets: readonly number[],
  highWatermark: number,
  markers: readonly number[],
): FetchResponse {
  const batches = [...offsets, ...markers].map((offset) => ({
    firstOffset: BigInt(offset),
    lastOffsetDelta: 0,
    firstTimestamp: 0n,
    attributes: markers.includes(offset) ? IS_CONTROL | IS_TRANSACTIONAL : 0,
    records: [{ offsetDelta: 0, timestampDelta: 0n, key: Buffer.from(`${offset}`), value: null, headers: [] }],
  }));
  const fetched = { partitionIndex: partition, errorCode: 0, highWatermark: BigInt(highWatermark), records: batches };
  return { responses: [{ topicId: "id", partitions: [fetched] }] } as unknown as FetchResponse;
}

function outOfRange(partition: number): Error {
  const failed = { responses: [{ topicId: "id", partitions: [{ partitionIndex: partition, errorCode: 1 }] }] };
  const fetchApi = 1;
  return new ResponseError(fetchApi, 17, { "/responses/0/partitions/0": [1, null] }, failed);
}
