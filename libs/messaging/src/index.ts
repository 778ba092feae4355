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
export { type BrokerOptions, connectBroker } from "./connect-broker.ts";
export { MemoryLog, type MemoryLogOptions } from "./memory/memory-log.ts";
export { type MemoryBrokerOptions, openMemoryBroker } from "./memory/open-memory-broker.ts";
export { createMessage, type Message, sizeOf, withHeaders } from "./message.ts";
export { deadLettered } from "./middleware/dead-lettered.ts";
export { AttemptsExhaustedError, type InPlaceRetries, retried } from "./middleware/retried.ts";
export { notBeforeDue, retriedLater } from "./middleware/retried-later.ts";
export { traced } from "./middleware/traced.ts";
export { partitionOf } from "./partition-of.ts";
export { openPostgresBroker, type PostgresBrokerOptions } from "./postgres/open-postgres-broker.ts";
export { type RetryingOptions, subscribeWithRetries } from "./subscribe-with-retries.ts";
export { deadTopic, retryTopic, sideTopics } from "./topics.ts";
