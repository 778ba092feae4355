import { orderCancelled, orderPlaced, ordersEvents } from "@plumbline/contracts";
import { byType, fromSource, type Handler } from "@plumbline/messaging";
import type { ServiceImplementation } from "@plumbline/rpc";
import type { Telemetry } from "@plumbline/telemetry";
import { onOrderCancelled } from "./events/order-cancelled.ts";
import { onOrderPlaced } from "./events/order-placed.ts";
import { fulfilmentService } from "./rpc/fulfilment-service.ts";
import type { Ports } from "./use-cases/ports.ts";

export interface App {
  /** The RPC service, for other programs to call. */
  readonly service: ServiceImplementation;
  /** The handler of orders.events. */
  readonly onOrderEvent: Handler;
}

/** Builds the service without its resources, so that tests put the same parts over memory. */
export function createApp(adapters: Omit<Ports, "clock">, telemetry: Pick<Telemetry, "metrics">): App {
  const ports = { ...adapters, clock: { now: () => new Date() } };
  return {
    service: fulfilmentService(ports.fulfilments),
    onOrderEvent: fromSource(
      ordersEvents.source,
      byType(
        {
          [orderPlaced.type]: onOrderPlaced(ports),
          [orderCancelled.type]: onOrderCancelled(ports),
        },
        telemetry,
      ),
    ),
  };
}
