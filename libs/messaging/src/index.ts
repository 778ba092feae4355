export { compose } from "./broker.ts";
export type {
  Broker,
  Delivery,
  Handler,
  Middleware,
  Publisher,
  SubscribeOptions,
  Subscriber,
  TopicOptions,
} from "./broker.ts";
export { createMessage, sizeOf, withHeaders } from "./message.ts";
export type { Message } from "./message.ts";
export { MemoryLog, type MemoryLogOptions } from "./memory/memory-log.ts";
export { type MemoryBrokerOptions, openMemoryBroker } from "./memory/open-memory-broker.ts";
export { partitionOf } from "./partition-of.ts";
export { deadTopic, retryTopic } from "./topics.ts";
