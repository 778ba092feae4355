import { ServiceError } from "@plumbline/errors";

export interface SparePart {
  readonly id: string;
  readonly name: string;
}

/**
 * Describes a spare part. Throws `invalid_argument` for an id that is not 1 to 64 of a-z, 0-9 and
 * "-".
 */
export function describeSparePart(id: string): SparePart {
  if (!/^[a-z0-9-]{1,64}$/.test(id)) {
    throw new ServiceError("invalid_argument", "the id is not that of a spare part", {
      reason: "SPARE_PART_INVALID",
      violations: [{ field: "spare_part_id", description: 'must be 1 to 64 of a-z, 0-9 and "-"' }],
    });
  }
  return { id, name: `spare part ${id}` };
}
