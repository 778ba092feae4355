import { sleep } from "@plumbline/concurrency";
import {
  appendToOutbox,
  type Broker,
  createMessage,
  type Message,
  outboxMigration,
  relayOutbox,
} from "@plumbline/messaging";
import { migrate, openDatabase } from "@plumbline/postgres";
import { noTelemetry } from "@plumbline/telemetry";
import { testDatabase } from "@plumbline/tools-engines";

const group = (concurrency: number) => ({ group: "bench", concurrency, capacity: 4 * concurrency });

function messages(count: number): Message[] {
  return Array.from({ length: count }, (_, index) =>
    createMessage({
      source: "/plumbline/bench",
      type: "bench.v1.Happened",
      key: `key-${index}`,
      contentType: "application/octet-stream",
      data: new Uint8Array(200),
    }),
  );
}

/** Messages a second that a relay with this batch size takes from an outbox to the broker. */
export async function relayRate(broker: Broker, batchSize: number, count: number): Promise<number> {
  await using place = await testDatabase();
  await using database = await openDatabase({ url: place.url, applicationName: "bench" }, noTelemetry);
  await migrate(database, [{ id: 1, ...outboxMigration }]);
  const topic = `relay-${crypto.randomUUID()}`;
  await broker.createTopics([topic], { partitions: 6 });
  await database.transaction(async (tx) => {
    for (const message of messages(count)) await appendToOutbox(tx, topic, message);
  });
  const started = performance.now();
  await using _ = await relayOutbox(database, broker, noTelemetry, { batchSize });
  for (;;) {
    const [left] = await database.query<{ count: bigint }>("SELECT count(*) FROM outbox");
    if (left?.count === 0n) return (count * 1_000) / (performance.now() - started);
    await sleep(5);
  }
}

/** Messages a second that one member handles, each for 5 ms, at this concurrency. */
export async function handlingRate(broker: Broker, concurrency: number, count: number): Promise<number> {
  const topic = `handling-${crypto.randomUUID()}`;
  await broker.createTopics([topic], { partitions: 6 });
  await broker.publish(topic, messages(count));
  let handled = 0;
  let started = 0;
  const done = Promise.withResolvers<number>();
  await using _ = await broker.subscribe(
    topic,
    async () => {
      if (started === 0) started = performance.now();
      await sleep(5);
      if (++handled === count) done.resolve((count * 1_000) / (performance.now() - started));
    },
    group(concurrency),
  );
  return await done.promise;
}
