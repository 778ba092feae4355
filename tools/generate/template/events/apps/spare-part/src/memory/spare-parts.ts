import type { SparePart } from "../domain/spare-part.ts";
import type { MessageId, SpareParts } from "../use-cases/ports.ts";

/** Spare parts in a Map, for tests. It grows with what is put in. */
export class MemorySpareParts implements SpareParts {
  readonly #byId = new Map<string, SparePart>();
  readonly #handled = new Set<string>();

  async find(id: string): Promise<SparePart | undefined> {
    return this.#byId.get(id);
  }

  async add(sparePart: SparePart): Promise<SparePart> {
    const stored = this.#byId.get(sparePart.id) ?? sparePart;
    this.#byId.set(stored.id, stored);
    return stored;
  }

  async addOnce({ source, id }: MessageId, sparePart: SparePart): Promise<void> {
    const key = JSON.stringify([source, id]);
    if (this.#handled.has(key)) return;
    this.#handled.add(key);
    await this.add(sparePart);
  }
}
