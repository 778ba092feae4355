import type { Handler } from "@plumbline/messaging";
import type { ServiceImplementation } from "@plumbline/rpc";
import { onOrderCancelled } from "./events/order-cancelled.ts";
import { onOrderPlaced } from "./events/order-placed.ts";
import type { Ports } from "./fulfil/ports.ts";
import { fulfilmentService } from "./rpc/fulfilment-service.ts";

export interface App {
  /** What others call. */
  readonly service: ServiceImplementation;
  /** What is done with a message of orders.events. */
  readonly onOrderEvent: Handler;
}

/** The service without its resources: plain construction, so that tests put the same parts over memory. */
export function createApp(ports: Ports): App {
  const handlers: Readonly<Record<string, Handler>> = {
    "orders.v1.OrderPlaced": onOrderPlaced(ports),
    "orders.v1.OrderCancelled": onOrderCancelled(ports),
  };
  return {
    service: fulfilmentService(ports.fulfilments),
    // A type unknown here is not for us: topics gain event types before all their readers do.
    onOrderEvent: async (delivery) => {
      const type = delivery.message.type;
      if (Object.hasOwn(handlers, type)) await handlers[type]?.(delivery);
    },
  };
}
