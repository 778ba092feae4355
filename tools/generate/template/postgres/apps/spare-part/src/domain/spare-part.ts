export interface SparePart {
  readonly id: string;
  readonly name: string;
  readonly createTime: Date;
}

export interface Violation {
  readonly field: string;
  readonly description: string;
}

/** The request breaks rules of a spare part; `violations` names each field. */
export class InvalidSparePartError extends Error {
  override readonly name = "InvalidSparePartError";
  readonly violations: readonly Violation[];

  constructor(violations: readonly Violation[]) {
    super("the spare part is not valid");
    this.violations = violations;
  }
}

/** Returns whether the text can be the id of a spare part. */
export function isSparePartId(text: string): boolean {
  return /^[a-z0-9-]{1,64}$/.test(text);
}

/** Makes a spare part. Throws InvalidSparePartError with every field that is wrong. */
export function newSparePart({ id, name }: { readonly id: string; readonly name: string }, now: Date): SparePart {
  const violations: Violation[] = [];
  if (!isSparePartId(id)) {
    violations.push({ field: "spare_part_id", description: 'must be 1 to 64 of a-z, 0-9 and "-"' });
  }
  // Code points, as a reader counts. PostgreSQL cannot store U+0000.
  const { length } = Array.from(name.slice(0, 201));
  if (length < 1 || length > 100 || name.includes("\0")) {
    violations.push({ field: "name", description: "must be 1 to 100 characters without U+0000" });
  }
  if (violations.length > 0) throw new InvalidSparePartError(violations);
  return { id, name, createTime: now };
}
