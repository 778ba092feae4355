import { FulfilmentService } from "@plumbline/contracts";
import { ServiceError } from "@plumbline/errors";
import { type ServiceImplementation, service } from "@plumbline/rpc";
import type { Fulfilments } from "../fulfil/ports.ts";
import { isOrderId } from "../order-id.ts";

/** FulfilmentService over what is stored: the label of an order as a PNG picture, `not_found` while there is none. */
export function fulfilmentService(fulfilments: Pick<Fulfilments, "label">): ServiceImplementation {
  return service(FulfilmentService, {
    async getLabel({ orderId }, { signal }) {
      // What cannot be an id belongs to no order, and the database would not take it.
      const label = isOrderId(orderId) ? await fulfilments.label(orderId, { signal }) : undefined;
      if (label === undefined) {
        throw new ServiceError("not_found", "there is no label for this order", { reason: "LABEL_NOT_FOUND" });
      }
      return { contentType: "image/png", data: label, extensions: [] };
    },
  });
}
