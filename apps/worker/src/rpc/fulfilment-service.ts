import { FulfilmentService } from "@plumbline/contracts";
import { ServiceError } from "@plumbline/errors";
import { type ServiceImplementation, service } from "@plumbline/rpc";
import { parseOrderId } from "../domain/order-id.ts";
import type { Fulfilments } from "../use-cases/ports.ts";

/** Serves FulfilmentService: the label of an order as a PNG, or `not_found` while there is none. */
export function fulfilmentService(fulfilments: Pick<Fulfilments, "label">): ServiceImplementation {
  return service(FulfilmentService, {
    async getLabel({ orderId }, { signal }) {
      const id = parseOrderId(orderId); // Text that cannot be an id has no label.
      const label = id === undefined ? undefined : await fulfilments.label(id, { signal });
      if (label === undefined) {
        throw new ServiceError("not_found", "there is no label for this order", { reason: "LABEL_NOT_FOUND" });
      }
      return { contentType: "image/png", data: label, extensions: [] };
    },
  });
}
