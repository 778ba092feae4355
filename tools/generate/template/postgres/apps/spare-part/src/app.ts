import type { ServiceImplementation } from "@plumbline/rpc";
import { sparePartService } from "./rpc/spare-part-service.ts";
import type { Ports } from "./use-cases/ports.ts";

/** Builds the service without its resources, so that tests put the same parts over memory. */
export function createApp(adapters: Omit<Ports, "clock">): { readonly service: ServiceImplementation } {
  return { service: sparePartService({ ...adapters, clock: { now: () => new Date() } }) };
}
