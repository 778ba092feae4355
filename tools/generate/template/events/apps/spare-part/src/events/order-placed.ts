import { orderPlaced } from "@plumbline/contracts";
import { decodeEvent, type Handler, invalidEvent } from "@plumbline/messaging";
import { InvalidSparePartError, newSparePart } from "../domain/spare-part.ts";
import type { Ports } from "../use-cases/ports.ts";

/** Handles OrderPlaced: creates the spare part of the order, with the order's id. */
export function onOrderPlaced({ spareParts, clock }: Ports): Handler {
  return async ({ message, signal }) => {
    const { orderId, customerId } = decodeEvent(orderPlaced, message);
    try {
      const sparePart = newSparePart({ id: orderId, name: `order of ${customerId}` }, clock.now());
      await spareParts.addOnce(message, sparePart, { signal });
    } catch (error) {
      // It never succeeds, so it is not retried.
      throw error instanceof InvalidSparePartError ? invalidEvent(message, error.message, { cause: error }) : error;
    }
  };
}
