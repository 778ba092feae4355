export {
  type Broker,
  compose,
  type Delivery,
  type Handler,
  type Middleware,
  type Publisher,
  type SubscribeOptions,
  type Subscriber,
  type TopicOptions,
} from "./broker.ts";
export { byType } from "./by-type.ts";
export { type BrokerOptions, connectBroker, grantTopics } from "./connect-broker.ts";
export { decodeEvent, type EventDecoder } from "./decode-event.ts";
export { type EventEncoder, eventMessage, invalidEvent } from "./event-message.ts";
export { fromSource } from "./from-source.ts";
export { type InboxOptions, startInboxCleanup } from "./inbox/cleanup.ts";
export { handleOnce, inboxNote, inboxSql } from "./inbox/handle-once.ts";
export { inboxMigration } from "./inbox/migration.ts";
export { spanOfBatch } from "./inbox/span-of-batch.ts";
export { type MemoryBrokerOptions, openMemoryBroker } from "./memory/broker.ts";
export { MemoryLog, type MemoryLogOptions } from "./memory/log.ts";
export { createMessage, type Message, sizeOf, withHeaders } from "./message.ts";
export { deadLettered } from "./middleware/dead-lettered.ts";
export { AttemptsExhaustedError, type InPlaceRetries, retried } from "./middleware/retried.ts";
export { notBeforeDue, retriedLater } from "./middleware/retried-later.ts";
export { traced } from "./middleware/traced.ts";
export {
  type AppendOptions,
  appendToOutbox,
  outboxAppend,
  outboxColumns,
  outboxSql,
  outboxValues,
  type StoreOptions,
} from "./outbox/append-to-outbox.ts";
export { outboxMigration } from "./outbox/migration.ts";
export { type RelayOptions, relayOutbox } from "./outbox/relay-outbox.ts";
export { partitionOf } from "./partition-of.ts";
export { openPostgresBroker, type PostgresBrokerOptions } from "./postgres/broker.ts";
export { type Declared, type Rights, rightsOf } from "./rights.ts";
export { type MessageShare, shareHeaders, shareOf } from "./share.ts";
export { type RetryingOptions, subscribeWithRetries } from "./subscribe-with-retries.ts";
export { deadTopic, retryAndDeadLetterTopics, retryTopic } from "./topics.ts";
