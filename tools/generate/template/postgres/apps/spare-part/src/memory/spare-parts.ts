import type { SparePart } from "../domain/spare-part.ts";
import type { SpareParts } from "../use-cases/ports.ts";

/** Spare parts in a Map, for tests. It grows with what is put in. */
export class MemorySpareParts implements SpareParts {
  readonly #byId = new Map<string, SparePart>();

  async find(id: string): Promise<SparePart | undefined> {
    return this.#byId.get(id);
  }

  async add(sparePart: SparePart): Promise<SparePart> {
    const stored = this.#byId.get(sparePart.id) ?? sparePart;
    this.#byId.set(stored.id, stored);
    return stored;
  }
}
