import { SparePartService } from "@plumbline/contracts";
import { type ServiceImplementation, service } from "@plumbline/rpc";
import { describeSparePart } from "./describe-spare-part.ts";

/** SparePartService over RPC. */
export const sparePartService: ServiceImplementation = service(SparePartService, {
  getSparePart: async ({ sparePartId }) => ({ sparePart: describeSparePart(sparePartId) }),
});
