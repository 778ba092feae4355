import { type Code, codeOf } from "@plumbline/errors";
import { sqlStateOf } from "@plumbline/postgres";

const permanent: ReadonlySet<Code> = new Set(["invalid_argument", "unimplemented", "data_loss"]);

/**
 * Errors of a database that cannot store the message: a character that it does not know, such as
 * NUL, and a value that is too long for an index.
 */
const unstorable: ReadonlySet<string | undefined> = new Set(["22021", "22P05", "54000"]);

/** Returns true if no retry can succeed, because the message itself cannot be handled. */
export function isPermanent(error: unknown): boolean {
  return permanent.has(codeOf(error)) || unstorable.has(sqlStateOf(error));
}
