import type { Abortable } from "@plumbline/concurrency";
import { isSparePartId, type SparePart } from "../domain/spare-part.ts";
import { type Ports, SparePartNotFoundError } from "./ports.ts";

/**
 * Returns the spare part. Rejects with SparePartNotFoundError, also for a text that cannot be an
 * id.
 */
export async function getSparePart(
  { spareParts }: Pick<Ports, "spareParts">,
  id: string,
  { signal }: Abortable = {},
): Promise<SparePart> {
  const found = isSparePartId(id) ? await spareParts.find(id, { signal }) : undefined;
  if (found === undefined) throw new SparePartNotFoundError("there is no such spare part");
  return found;
}
