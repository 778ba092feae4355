import type { Abortable } from "@plumbline/concurrency";
import { newSparePart, type SparePart } from "../domain/spare-part.ts";
import { type Ports, SparePartExistsError } from "./ports.ts";

/**
 * Stores a new spare part and returns it. A repeat returns the stored one, so that a client may
 * retry. Rejects with InvalidSparePartError. Rejects with SparePartExistsError for an id that
 * belongs to a spare part of another name.
 */
export async function createSparePart(
  { spareParts, clock }: Ports,
  request: { readonly id: string; readonly name: string },
  { signal }: Abortable = {},
): Promise<SparePart> {
  const stored = await spareParts.add(newSparePart(request, clock.now()), { signal });
  if (stored.name !== request.name) throw new SparePartExistsError("the id belongs to a spare part of another name");
  return stored;
}
