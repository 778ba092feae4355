import { randomBytes } from "node:crypto";
import type { Handler } from "@plumbline/messaging";
import type { ServiceImplementation } from "@plumbline/rpc";
import { uuidV7 } from "./domain/order-id.ts";
import { onOrderFulfilled } from "./events/order-fulfilled.ts";
import { onOrderRejected } from "./events/order-rejected.ts";
import { type OrdersServiceOptions, ordersService } from "./rpc/orders-service.ts";
import type { Clock, Ports } from "./use-cases/ports.ts";

export interface App {
  /** What others call. */
  readonly service: ServiceImplementation;
  /** What is done with a message of fulfilment.events. */
  readonly onAnswer: Handler;
}

/** The service without its resources: plain construction, so that tests put the same parts over memory. */
export function createApp(ports: Ports, options: OrdersServiceOptions): App {
  const handlers: ReadonlyMap<string, Handler> = new Map([
    ["fulfilment.v1.OrderFulfilled", onOrderFulfilled(ports)],
    ["fulfilment.v1.OrderRejected", onOrderRejected(ports)],
  ]);
  return {
    service: ordersService(ports, options),
    // A type unknown here is not for us: topics gain event types before all their readers do.
    onAnswer: async (delivery) => await handlers.get(delivery.message.type)?.(delivery),
  };
}

export const systemClock: Clock = { now: () => new Date() };

export function newOrderId(): string {
  return uuidV7(systemClock.now().getTime(), randomBytes(10));
}
