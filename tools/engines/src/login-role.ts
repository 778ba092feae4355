import { randomBytes } from "node:crypto";
import { admin } from "./test-database.ts";

/** A role that may log in, and has no other right. */
export interface LoginRole extends AsyncDisposable {
  readonly role: string;
  /** The URL of the role, on the database of the superuser's. */
  readonly url: string;
}

/**
 * Creates a role, optionally as a member of another. Disposing drops it and what it was granted.
 */
export async function createRole(adminUrl: string, memberOf?: string): Promise<LoginRole> {
  const role = `role_${randomBytes(6).toString("hex")}`;
  const password = randomBytes(12).toString("hex");
  const member = memberOf === undefined ? "" : ` IN ROLE ${memberOf}`;
  const url = Object.assign(new URL(adminUrl), { username: role, password }).href;
  await admin(
    adminUrl,
    `CREATE ROLE ${role} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD '${password}'${member}`,
  );
  return { role, url, [Symbol.asyncDispose]: () => admin(adminUrl, `DROP OWNED BY ${role}; DROP ROLE ${role}`) };
}
