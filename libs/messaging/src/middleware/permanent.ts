import { type Code, codeOf } from "@plumbline/errors";

const permanent: ReadonlySet<Code> = new Set(["invalid_argument", "unimplemented", "data_loss"]);

/** Returns true if no retry can succeed, because the message itself cannot be handled. */
export function isPermanent(error: unknown): boolean {
  return permanent.has(codeOf(error));
}
