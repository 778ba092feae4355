import { FulfilmentService } from "@plumbline/contracts";
import { ServiceError } from "@plumbline/errors";
import { type Call, type ServiceImplementation, service } from "@plumbline/rpc";
import { parseOrderId } from "../domain/order-id.ts";
import type { Fulfilments } from "../use-cases/ports.ts";

/** The scope of callers whom the labels of all customers are for. */
const operate = "orders:operate";

/**
 * Serves FulfilmentService: the label of an order as a PNG, or `not_found` while there is none, and
 * for an order of another customer.
 */
export function fulfilmentService(fulfilments: Pick<Fulfilments, "label">): ServiceImplementation {
  return service(FulfilmentService, {
    async getLabel({ orderId }, { principal, signal }) {
      const id = parseOrderId(orderId); // Text that cannot be an id has no label.
      const label = id === undefined ? undefined : await fulfilments.label(id, { owner: ownerFor(principal), signal });
      if (label === undefined) {
        throw new ServiceError("not_found", "there is no label for this order", { reason: "LABEL_NOT_FOUND" });
      }
      return { contentType: "image/png", data: label, extensions: [] };
    },
  });
}

function ownerFor(principal: Call["principal"]): string | undefined {
  return principal?.scopes.includes(operate) === true ? undefined : principal?.subject;
}
