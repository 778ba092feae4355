import { type FieldViolation, ServiceError } from "@plumbline/errors";

/**
 * A list of the wrong fields of a request. It is bounded: a body with 10,000 wrong items lists the
 * first few.
 */
export class Violations {
  static readonly max = 20;
  readonly #list: FieldViolation[] = [];

  get full(): boolean {
    return this.#list.length >= Violations.max;
  }

  get empty(): boolean {
    return this.#list.length === 0;
  }

  add(field: string, description: string): void {
    if (!this.full) this.#list.push({ field, description });
  }

  /** Throws ServiceError invalid_argument (INVALID_REQUEST) if the list is not empty. */
  throwIfAny(summary: string): void {
    const [first] = this.#list;
    if (first === undefined) return;
    const detail =
      first.field === "" ? `${summary}: ${first.description}.` : `${summary}: ${first.field}: ${first.description}.`;
    throw new ServiceError("invalid_argument", detail, { reason: "INVALID_REQUEST", violations: this.#list });
  }
}
