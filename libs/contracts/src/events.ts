/**
 * The topics and the events on them. A topic has one name and an event one type and one codec, for
 * its writer and for all its readers.
 */
import { OrderFulfilled, OrderRejected } from "./gen/fulfilment/v1/events.ts";
import { OrderCancelled, OrderPlaced } from "./gen/orders/v1/events.ts";

/** A type of event: its name on the wire, and its protobuf encoding. */
export interface EventType<T> {
  /** The full name of the protobuf message, `orders.v1.OrderPlaced`. */
  readonly type: string;
  encode(event: T): Uint8Array;
  decode(data: Uint8Array): T;
}

export const orderPlaced = eventType("orders.v1.OrderPlaced", OrderPlaced);
export const orderCancelled = eventType("orders.v1.OrderCancelled", OrderCancelled);
export const orderFulfilled = eventType("fulfilment.v1.OrderFulfilled", OrderFulfilled);
export const orderRejected = eventType("fulfilment.v1.OrderRejected", OrderRejected);

/** The topic that orders writes. Its key is the id of the order. */
export const ordersEvents = {
  topic: "orders.events",
  /** The source of its messages. Readers refuse any other. */
  source: "/plumbline/orders",
  /** Fixed when the topic is created: another number would reorder the events of an order. */
  partitions: 6,
  types: [orderPlaced, orderCancelled],
} as const;

/** The topic that worker writes. Its key is the id of the order. */
export const fulfilmentEvents = {
  topic: "fulfilment.events",
  source: "/plumbline/worker",
  partitions: 6,
  types: [orderFulfilled, orderRejected],
} as const;

interface Codec<T> {
  encode(message: T): { finish(): Uint8Array };
  decode(data: Uint8Array): T;
}

function eventType<T>(type: string, codec: Codec<T>): EventType<T> {
  return { type, encode: (event) => codec.encode(event).finish(), decode: (data) => codec.decode(data) };
}
