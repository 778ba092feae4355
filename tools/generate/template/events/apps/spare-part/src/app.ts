import { orderPlaced, ordersEvents } from "@plumbline/contracts";
import { byType, fromSource, type Handler } from "@plumbline/messaging";
import type { ServiceImplementation } from "@plumbline/rpc";
import type { Telemetry } from "@plumbline/telemetry";
import { onOrderPlaced } from "./events/order-placed.ts";
import { sparePartService } from "./rpc/spare-part-service.ts";
import type { Ports } from "./use-cases/ports.ts";

export interface App {
  /** The RPC service, for other programs to call. */
  readonly service: ServiceImplementation;
  /** Returns the handler of orders.events. It counts those that it has no use for. */
  readonly onOrderEvent: (telemetry: Pick<Telemetry, "metrics">) => Handler;
}

/** Builds the service without its resources, so that tests put the same parts over memory. */
export function createApp(adapters: Omit<Ports, "clock">): App {
  const ports = { ...adapters, clock: { now: () => new Date() } };
  return {
    service: sparePartService(ports),
    onOrderEvent: (telemetry) =>
      fromSource(
        ordersEvents.source,
        byType({ [orderPlaced.type]: onOrderPlaced(ports) }, telemetry, ordersEvents.types),
      ),
  };
}
