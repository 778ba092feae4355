import { SparePartService } from "@plumbline/contracts";
import { ServiceError } from "@plumbline/errors";
import { type ServiceImplementation, service } from "@plumbline/rpc";
import { InvalidSparePartError } from "../domain/spare-part.ts";
import { createSparePart } from "../use-cases/create-spare-part.ts";
import { getSparePart } from "../use-cases/get-spare-part.ts";
import { type Ports, SparePartExistsError, SparePartNotFoundError } from "../use-cases/ports.ts";

/** SparePartService over the use cases: each call's signal reaches every statement made for it. */
export function sparePartService(ports: Ports): ServiceImplementation {
  return service(SparePartService, {
    createSparePart: ({ sparePartId: id, name }, { signal }) =>
      mapErrors(async () => ({ sparePart: await createSparePart(ports, { id, name }, { signal }) })),

    getSparePart: ({ sparePartId }, { signal }) =>
      mapErrors(async () => ({ sparePart: await getSparePart(ports, sparePartId, { signal }) })),
  });
}

/** Runs the work and turns the service's own errors into codes. Any other error is `internal`. */
async function mapErrors<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof InvalidSparePartError) {
      const { message, violations } = error;
      throw new ServiceError("invalid_argument", message, { reason: "SPARE_PART_INVALID", violations, cause: error });
    }
    if (error instanceof SparePartNotFoundError) {
      throw new ServiceError("not_found", error.message, { reason: "SPARE_PART_NOT_FOUND", cause: error });
    }
    if (error instanceof SparePartExistsError) {
      throw new ServiceError("already_exists", error.message, { reason: "SPARE_PART_EXISTS", cause: error });
    }
    throw error;
  }
}
