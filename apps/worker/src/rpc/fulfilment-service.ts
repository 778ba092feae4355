import { FulfilmentService } from "@plumbline/contracts";
import { ServiceError } from "@plumbline/errors";
import { type ServiceImplementation, service } from "@plumbline/rpc";
import { parseOrderId } from "../domain/order-id.ts";
import type { Fulfilments } from "../use-cases/ports.ts";

/** FulfilmentService over what is stored: the label of an order as a PNG picture, `not_found` while there is none. */
export function fulfilmentService(fulfilments: Pick<Fulfilments, "label">): ServiceImplementation {
  return service(FulfilmentService, {
    async getLabel({ orderId }, { signal }) {
      const id = parseOrderId(orderId); // Text that no order has as its id has no label either.
      const label = id === undefined ? undefined : await fulfilments.label(id, { signal });
      if (label === undefined) {
        throw new ServiceError("not_found", "there is no label for this order", { reason: "LABEL_NOT_FOUND" });
      }
      return { contentType: "image/png", data: label, extensions: [] };
    },
  });
}
