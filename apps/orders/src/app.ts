import { randomBytes } from "node:crypto";
import { fulfilmentEvents, orderFulfilled, orderRejected } from "@plumbline/contracts";
import { byType, fromSource, type Handler } from "@plumbline/messaging";
import type { ServiceImplementation } from "@plumbline/rpc";
import type { Telemetry } from "@plumbline/telemetry";
import { type OrderId, uuidV7 } from "./domain/order-id.ts";
import { onOrderFulfilled } from "./events/order-fulfilled.ts";
import { onOrderRejected } from "./events/order-rejected.ts";
import { ordersService } from "./rpc/orders-service.ts";
import type { Clock, Ports } from "./use-cases/ports.ts";

export interface App {
  /** The RPC service, for other programs to call. */
  readonly service: ServiceImplementation;
  /** The handler of fulfilment.events. */
  readonly onFulfilmentEvent: Handler;
}

/** Builds the service without its resources, so that tests put the same parts over memory. */
export function createApp(adapters: Omit<Ports, "clock" | "newOrderId">, telemetry: Pick<Telemetry, "metrics">): App {
  const ports = { ...adapters, clock: systemClock, newOrderId };
  return {
    service: ordersService(ports),
    onFulfilmentEvent: fromSource(
      fulfilmentEvents.source,
      byType(
        {
          [orderFulfilled.type]: onOrderFulfilled(ports),
          [orderRejected.type]: onOrderRejected(ports),
        },
        telemetry,
      ),
    ),
  };
}

const systemClock: Clock = { now: () => new Date() };

export function newOrderId(): OrderId {
  return uuidV7(systemClock.now().getTime(), randomBytes(10));
}
