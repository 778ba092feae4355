import { type FieldViolation, ServiceError } from "@plumbline/errors";

/** What is wrong with a request, field by field. Full after `max`: a body of 10,000 wrong items is told of the first few. */
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

  /** Throws ServiceError invalid_argument (INVALID_REQUEST) when there are any. */
  throwIfAny(what: string): void {
    const [first] = this.#list;
    if (first === undefined) return;
    const detail =
      first.field === "" ? `${what}: ${first.description}.` : `${what}: ${first.field}: ${first.description}.`;
    throw new ServiceError("invalid_argument", detail, { reason: "INVALID_REQUEST", violations: this.#list });
  }
}
