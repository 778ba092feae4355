/** The ports of the use cases. Every adapter passes the contract in `test/spare-parts.ts`. */
import type { Abortable } from "@plumbline/concurrency";
import type { SparePart } from "../domain/spare-part.ts";

/** There is no spare part of this id. */
export class SparePartNotFoundError extends Error {
  override readonly name = "SparePartNotFoundError";
}

/** The id belongs to a spare part with other values. */
export class SparePartExistsError extends Error {
  override readonly name = "SparePartExistsError";
}

export interface SpareParts {
  find(id: string, options?: Abortable): Promise<SparePart | undefined>;

  /**
   * Stores the spare part unless its id is taken. Returns the stored one: this one, or the one that
   * was there before.
   */
  add(sparePart: SparePart, options?: Abortable): Promise<SparePart>;
}

export interface Clock {
  now(): Date;
}

export interface Ports {
  readonly spareParts: SpareParts;
  readonly clock: Clock;
}
