/** What the two bare services share: kafkajs and pg as they come, with the faster choice where there is one. */
import kafkajs from "kafkajs";
import { Pool } from "pg";

const partitions = 6;

export const pool = new Pool({ connectionString: process.env["DATABASE_URL"], max: 10 });

export async function connectKafka(clientId) {
  const kafka = new kafkajs.Kafka({
    clientId,
    brokers: [process.env["BROKERS"]],
    logLevel: kafkajs.logLevel.ERROR,
  });
  // acks is -1, every copy in sync, unless told.
  const producer = kafka.producer({ createPartitioner: kafkajs.Partitioners.DefaultPartitioner });
  await producer.connect();
  return { kafka, producer };
}

export async function createTopics(kafka, topics) {
  const admin = kafka.admin();
  await admin.connect();
  await admin.createTopics({ topics: topics.map((topic) => ({ topic, numPartitions: partitions })) });
  await admin.disconnect();
}

/** One handler at a time for each partition, all partitions at once; offsets are committed behind each batch. */
export async function consume(kafka, topic, handle) {
  // By default a fetch that finds nothing waits for 5 s, and commits and joins behind it.
  const consumer = kafka.consumer({ groupId: `${topic}.bare`, maxWaitTimeInMs: 100 });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  const joined = new Promise((resolve) => consumer.on(consumer.events.GROUP_JOIN, resolve));
  await consumer.run({
    partitionsConsumedConcurrently: partitions,
    eachMessage: async ({ message }) => await handle(JSON.parse(message.value.toString())),
  });
  await joined;
}
