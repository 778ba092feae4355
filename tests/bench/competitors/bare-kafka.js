/**
 * The parts that the two bare services share: kafkajs and pg with their defaults, or the faster
 * option.
 */
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
  // The default of acks is -1: every in-sync copy.
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

/**
 * Runs one handler at a time for each partition, and all partitions at once. Commits offsets after
 * each batch.
 */
export async function consume(kafka, topic, handle) {
  // By default a fetch without data waits 5 s, and commits and joins wait behind it.
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
